import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { entries, environmentName } from '../src/config/load.ts';
import { findUnobservedPromises } from './harness/unobserved-promises.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'src');

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

const code = filesIn('src').filter((path) => /\.tsx?$/.test(path) && !path.startsWith('src/gen/'));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** What each folder may import of the others, beside itself and the ground below all of them. */
const ground = [
  'http',
  'database',
  'config',
  'logger',
  'errors.ts',
  'permissions.ts',
  'concurrency',
  'redis-link.ts',
  'gen',
];
const arrows: Readonly<Record<string, readonly string[]>> = {
  'main.ts': ['roles', ...ground],
  roles: ['auth', 'chat', 'user', 'moderation', 'processing', 'realtime', 'jobs', ...ground],
  web: ['client'],
  client: [],
  jobs: ['chat', 'user', ...ground],
  moderation: ['chat', 'user', 'auth', 'processing', ...ground],
  chat: ['user', 'realtime', 'processing', ...ground],
  auth: ['user', ...ground],
  user: ['transform', ...ground],
  realtime: [...ground],
  processing: ['spam', 'transform', ...ground],
  spam: [],
  transform: [],
  http: ['database', 'config', 'logger', 'errors.ts', 'permissions.ts', 'concurrency', 'redis-link.ts'],
  database: ['config', 'logger', 'errors.ts', 'concurrency'],
  config: ['errors.ts'],
  logger: ['config', 'errors.ts'],
  'errors.ts': [],
  'permissions.ts': ['errors.ts'],
  concurrency: ['logger'],
  'redis-link.ts': ['logger'],
  gen: [],
};

/** Imports that only say how something is typed may look one step further: nothing of it is there at run time. */
const imports = /^(?:import|export)\s+(type\s)?[^;]*?from\s+'(\.[^']+)'|import\('(\.[^']+)'\)/gms;

test('imports follow the arrows of the house', () => {
  const wrong: string[] = [];
  for (const path of code.filter((each) => !each.endsWith('.test.ts') && !each.endsWith('.test.tsx'))) {
    const from = path.split('/')[1]!;
    for (const [, , named, dynamic] of read(path).matchAll(imports)) {
      const target = resolve(root, dirname(path), (named ?? dynamic)!);
      if (!target.startsWith(source)) continue;
      const to = relative(source, target).split('/')[0]!;
      if (to !== from && !arrows[from]?.includes(to)) wrong.push(`${path} imports ${to}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('chat and moderation know of processing its client alone', () => {
  const wrong = code
    .filter((path) => /^src\/(chat|moderation)\//.test(path))
    .filter((path) =>
      [...read(path).matchAll(/from '[^']*\/processing\/([^']+)'/g)].some(
        ([, file]) => file !== 'client/processing-client.ts',
      ),
    );
  expect(wrong).toEqual([]);
});

test('a file name occurs once', () => {
  const names = [...code, ...filesIn('test'), ...filesIn('scripts')]
    .filter((path) => !/index\.html$/.test(path))
    .map((path) => path.split('/').at(-1)!);
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
});

test('names are kebab-case, no folder is a drawer, and no file grows past what one can hold in mind', () => {
  expect(code.filter((path) => !/^[a-z0-9-]+(\.test)?\.tsx?$/.test(path.split('/').at(-1)!))).toEqual([]);
  expect(code.filter((path) => /\/(utils?|helpers?|common|misc|shared)\//.test(path))).toEqual([]);
  const long = code.filter((path) => read(path).split('\n').length > 640);
  expect(long).toEqual([]);
});

/** Statements of hot paths: they are built by hand and belong to one part, which is named for what they read or append. */
const hotStatements = [
  'src/chat/events/append-statement.ts',
  'src/chat/events/log-reader.ts',
  'src/chat/events/message-columns.ts',
  'src/chat/messages/sender-facts.ts',
  'src/chat/messages/uncached-newest-page.ts',
];

test('the SQL of chat is in repositories', () => {
  const sqlIn = /from 'drizzle-orm|\/database\/tables\/|\bsql(?:<[^`]*>)?`/;
  const wrong = code
    .filter((path) => path.startsWith('src/chat/') && !/-repository\.ts$/.test(path) && !hotStatements.includes(path))
    .filter((path) => sqlIn.test(read(path)));
  expect(wrong).toEqual([]);
});

test('the environment is read in one place', () => {
  expect(code.filter((path) => !path.startsWith('src/config/') && /process\.env\b/.test(read(path)))).toEqual([]);
});

test('every setting is in the operations manual, by its key and its environment name', () => {
  const manual = read('docs/operations/settings.md');
  const missing = entries.filter(
    ({ path }) => !manual.includes(`\`${path}\``) || !manual.includes(environmentName(path)),
  );
  expect(missing.map(({ path }) => path)).toEqual([]);
});

test('no promise of the server or the client is started and left to reject unobserved', () => {
  // An unhandled rejection ends a Node process. It does not end a page, whose handlers report their errors themselves.
  const files = code.filter((path) => !path.startsWith('src/web/') && !path.endsWith('.test.ts'));
  expect(findUnobservedPromises(files.map((path) => ({ path, text: read(path) })))).toEqual([]);
});

/** The functions that the mistakes below call. */
const declarations = `
  interface Store { readonly find: (id: string) => Promise<string>; readonly list: () => string[] }
  async function judge(text: string): Promise<string> { return await ask(text); }
  async function careful(): Promise<void> { try { await judge('x'); } catch { return; } }
  async function careless(): Promise<void> { try { await judge('x'); } finally { done(); } }`;

test.each([
  ['a promise awaited after another', "const early = find('x'); await judge('y'); await early;"],
  [
    'a promise awaited after another, chosen',
    "const early = known ?? find('x'); await judge('y'); return { early: await early };",
  ],
  [
    'a promise awaited unless the function ends before',
    "const early = judge('x'); if (bad) throw new Error(); await early;",
  ],
  ['a promise whose function is known by its use alone', "const early = other.begin(); await judge('y'); await early;"],
  [
    'promises of a list awaited after another',
    "const all = texts.map(async (text) => judge(text)); await judge('y'); await Promise.all(all);",
  ],
  ['an argument that awaits beside a started one', "await Promise.all([judge('x'), await judge('y')]);"],
  ['a promise kept in a field', "this.#early = judge('x'); await judge('y');"],
  ['a call that is left', "void judge('x');"],
  ['a call that is left, of a function that does not catch', 'void careless();'],
  ['a promise that is left with one handler only', "void judge('x').then((text) => text);"],
  ['an async callback of a timer', "setInterval(async () => { await judge('x'); }, 1000);"],
  ['a callback of an emitter that returns a promise', "socket.on('close', () => judge('x'));"],
])('the check of promises finds %s', (_what, body) => {
  const text = `${declarations}\nclass A { #early; async run(store: Store) { const { find } = store; ${body} } }`;
  expect(findUnobservedPromises([{ path: 'seeded.ts', text }])).toHaveLength(1);
});

test.each([
  ['awaited next', "const text = judge('x'); await text;"],
  ['awaited together', "const a = judge('x'); const b = find('y'); await Promise.all([a, b]);"],
  ['started early by name', "const early = startEarly(() => judge('x')); await judge('y'); await early;"],
  ['kept for others and awaited', "const p = judge('x'); pending.set('x', p); await p;"],
  ['left with a handler', "judge('x').catch(report); void judge('y').then(use, report);"],
  ['left to a function that catches all it awaits', 'void careful(); setInterval(() => void careful(), 1000);'],
  ['of something else', 'const names = store.list(); await judge(names[0]); return names;'],
])('the check of promises lets pass what is %s', (_what, body) => {
  const text = `${declarations}\nclass A { async run(store: Store) { const { find } = store; ${body} } }`;
  expect(findUnobservedPromises([{ path: 'right.ts', text }])).toEqual([]);
});

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { entries, environmentName } from '../src/config/load.ts';
import { findCircles, findLongFunctions, groupGraph, readImports } from './harness/source-graph.ts';
import { findUnobservedPromises } from './harness/unobserved-promises.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

const code = filesIn('src').filter((path) => /\.tsx?$/.test(path) && !path.startsWith('src/gen/'));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Files and folders that every part of the server may import. */
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
/** What each folder or file of src may import besides itself. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  'main.ts': ['roles', ...ground],
  roles: ['auth', 'chat', 'user', 'moderation', 'processing', 'realtime', 'jobs', 'outbound', ...ground],
  web: ['client'],
  client: [],
  jobs: ['chat', 'user', 'outbound', ...ground],
  moderation: ['chat', 'user', 'auth', 'processing', ...ground],
  chat: ['user', 'realtime', 'processing', ...ground],
  auth: ['user', ...ground],
  user: ['transform', ...ground],
  realtime: [...ground],
  processing: ['spam', 'transform', ...ground],
  spam: [],
  transform: [],
  outbound: [],
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

const graph = readImports(root, code);
/** What is built: tests may import anything. */
const built = new Map([...graph].filter(([path]) => !/\.test\.tsx?$/.test(path)));
const folderOf = (path: string) => path.split('/')[1]!;

test('imports follow the arrows of the house, type imports included', () => {
  const wrong = [...built].flatMap(([path, targets]) =>
    targets
      .filter((target) => target.startsWith('src/') && folderOf(target) !== folderOf(path))
      .filter((target) => !arrows[folderOf(path)]?.includes(folderOf(target)))
      .map((target) => `${path} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

/**
 * The rooms of each folder and the files that lie beside them, from top to bottom: each imports only what stands below it, type imports
 * included.
 */
const rooms: Readonly<Record<string, readonly string[]>> = {
  auth: ['authenticator.ts', 'host-app', 'oauth', 'login', 'account', 'mfa', 'sessions', 'credentials'],
  chat: [
    'scheduled',
    'streams',
    'drafts',
    'bookmarks',
    'presence',
    'invites',
    'reconcile',
    'polls',
    'previews',
    'threads',
    'reactions',
    'pins',
    'emojis',
    'forwards',
    'uploads',
    'messages',
    'personal-data',
    'rooms',
    'membership',
    'events',
    'notifications',
    'reads',
    'state',
  ],
  client: [
    'index.ts',
    'version.ts',
    'stores',
    'parley-client.ts',
    'base.ts',
    'outbox',
    'stream',
    'calls',
    'link',
    'line-breaks.ts',
    'room-store.ts',
    'room-changes.ts',
    'unread-counts.ts',
    'blocked-users.ts',
    'message-log.ts',
    'reaction-changes.ts',
    'random-key.ts',
    'leave.ts',
    'parley-error.ts',
    'types.ts',
  ],
  database: [
    'database-probe.ts',
    'freshness-batch.ts',
    'personal-data.ts',
    'queue.ts',
    'connect.ts',
    'migrate.ts',
    'array-literal.ts',
    'connection',
    'database-errors.ts',
    'embedded',
    'new-id.ts',
    'tables',
  ],
  http: ['health.ts', 'metrics.ts', 'web-page.ts', 'server', 'caller', 'idempotency.ts', 'input', 'limits'],
  jobs: ['job-runner.ts', 'room-jobs.ts', 'mail-wiring.ts', 'runner', 'mail', 'previews', 'smtp'],
  moderation: ['queue', 'bans', 'records', 'rules', 'lessons', 'scope', 'staff-access'],
  processing: ['client', 'server', 'engine', 'http2-sizes.ts', 'pool'],
  realtime: ['presence', 'sse', 'gateway', 'feed', 'cluster', 'socket'],
  roles: ['start-role.ts', 'chat.ts', 'commands', 'processing.ts', 'wiring', 'lifecycle'],
  spam: ['assess.ts', 'rules', 'second-sign.ts', 'toxicity', 'classifier', 'flood.ts', 'links', 'terms', 'text'],
  user: ['blocks', 'profile', 'account', 'notifications', 'privacy', 'status'],
  web: ['page', 'desk', 'components'],
};

/** The room of a file, or the file itself if it lies beside the rooms. */
const roomOf = (path: string) => path.split('/')[2]!;

test.each(Object.entries(rooms))('the rooms of %s import only rooms below them', (folder, order) => {
  const files = [...built].filter(([path]) => folderOf(path) === folder);
  expect([...new Set(files.map(([path]) => roomOf(path)))].sort()).toEqual([...order].sort());
  const wrong = files.flatMap(([path, targets]) =>
    targets
      .filter((target) => folderOf(target) === folder && order.indexOf(roomOf(target)) < order.indexOf(roomOf(path)))
      .map((target) => `${path} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('a folder with rooms is in the table of rooms', () => {
  const withRooms = code.filter((path) => path.split('/').length > 3).map(folderOf);
  expect([...new Set(withRooms)].filter((folder) => !rooms[folder])).toEqual([]);
});

test('there are no import circles between files, between rooms or between folders, type imports included', () => {
  expect(findCircles(built)).toEqual([]);
  // A file that lies beside the rooms of its folder stands for itself.
  expect(findCircles(groupGraph(built, (path) => (path.split('/').length > 3 ? dirname(path) : path)))).toEqual([]);
  expect(findCircles(groupGraph(built, folderOf))).toEqual([]);
});

test('the checks of circles and of long functions find what they look for', () => {
  const ring = new Map([
    ['src/a/x.ts', ['src/b/y.ts']],
    ['src/b/y.ts', ['src/b/z.ts']],
    ['src/b/z.ts', ['src/a/x.ts']],
    ['src/c/alone.ts', ['src/a/x.ts']],
  ]);
  expect(findCircles(ring)).toEqual([['src/a/x.ts', 'src/b/y.ts', 'src/b/z.ts']]);
  expect(findCircles(groupGraph(ring, folderOf))).toEqual([['a', 'b']]);
  expect(readImports(root, ['src/main.ts']).get('src/main.ts')).toContain('src/roles/start-role.ts');
  const text = `const build = () => {\n${'step();\n'.repeat(20)}};`;
  expect(findLongFunctions('long.ts', text, 20)).toEqual([{ name: 'build', place: 'long.ts:1', lines: 22 }]);
  expect(findLongFunctions('long.ts', text, 22)).toEqual([]);
});

test('no function has more than 150 lines', () => {
  const long = [...built.keys()].flatMap((path) => findLongFunctions(path, read(path), 150));
  expect(long).toEqual([]);
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

/** The commands beside the start, as an operator types them. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { decodeJwt } from 'jose';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, expect, inject, onTestFinished, test, vi } from 'vitest';
import { nodeEnvironment } from '../harness/node-environment.ts';
import { freePort } from '../harness/ports.ts';
import { startSingle } from '../harness/stack.ts';
import { callApi } from '../harness/test-client.ts';
import { createDatabase } from '../harness/test-database.ts';

vi.setConfig({ testTimeout: 120_000 });

const run = promisify(execFile);
const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'parley-commands-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function parley(args: string[], env: Record<string, string> = {}): Promise<Ended> {
  try {
    const { stdout, stderr } = await run(process.execPath, [entry, ...args], {
      env: { ...nodeEnvironment, ...env },
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    return error as Ended;
  }
}

test('--version is that of the package, and needs no good configuration; nor does --help', async () => {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const broken = { PARLEY_HTPP_PORT: '1', PORT: 'none' };
  expect(await parley(['--version'], broken)).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
  expect(await parley(['--help'], broken)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Usage: /) });
});

test('a printed configuration may be given back as a file', async () => {
  const env = { PORT: '8123', PARLEY_NOTIFICATIONS_EMAIL_DELAY: '90s', JWT_SECRET: 'x'.repeat(32) };
  const first = await parley(['--print-config'], env);
  const file = join(dir, 'printed.yaml');
  await writeFile(file, first.stdout);
  const second = await parley(['--print-config', '--config', file], { JWT_SECRET: 'x'.repeat(32) });
  expect(second).toMatchObject({ code: 0, stdout: first.stdout });
  expect(await parley(['config', 'check', file])).toMatchObject({ code: 0 });
});

test('config check reads the file that is named, whatever role it is for, and says what is wrong in one line', async () => {
  const [good, bad] = [join(dir, 'good.yaml'), join(dir, 'bad.yaml')];
  await writeFile(good, 'role: chat\ndatabase: { url: postgres://u@h/d }\nhttp.port: 81\n');
  await writeFile(bad, 'http: { prot: 81 }\n');
  expect(await parley(['config', 'check', good], { PARLEY_ROOM_NAME_MAX: '5' })).toMatchObject({
    code: 0,
    stdout: `the configuration is valid: role chat, 3 settings from ${good}, 1 setting from the environment\n`,
  });
  expect(await parley(['config', 'check', bad])).toMatchObject({
    code: 1,
    stderr: `parley: unknown key "http.prot" in ${bad}; the nearest known key is "http.port"\n`,
  });
  expect(await parley(['config', 'check'], { PORT: 'x' })).toMatchObject({ code: 1, stdout: '' });
  expect(await parley(['config', 'check', join(dir, 'none.yaml')])).toMatchObject({ code: 1 });
  for (const words of [
    ['config'],
    ['config', 'chekc'],
    ['config', 'check', good, bad],
    ['config', 'check', '--x', 'y'],
  ])
    expect(await parley(words)).toMatchObject({ code: 1, stderr: expect.stringMatching(/^parley: usage: [^\n]*\n$/) });
});

const issuers = [
  { issuer: 'https://keys.example', audience: 'parley', jwksUrl: 'https://keys.example/jwks' },
  {
    ...{ issuer: 'https://shop.example', audience: 'chat', secret: 'a secret of thirty-two bytes or more' },
    ...{ algorithms: ['HS384', 'HS256'], claims: { name: 'display_name' } },
  },
  { issuer: 'https://other.example', audience: 'parley', secret: 'another secret of 32 bytes or more' },
];
const withIssuers = { PARLEY_AUTH_ISSUERS: JSON.stringify(issuers) };

test('token signs as the first host application with a secret would, and Parley takes it', async () => {
  const single = await startSingle(withIssuers);
  onTestFinished(single.end);
  const { stdout, code } = await parley(
    ['token', '--sub', 'user-42', '--name', 'Ana B', '--lifetime', '10m'],
    withIssuers,
  );
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)]);
  const token = stdout.trim();
  const { iat, exp, ...claims } = decodeJwt(token);
  expect(claims).toEqual({ iss: 'https://shop.example', aud: 'chat', sub: 'user-42', display_name: 'Ana B' });
  expect(exp! - iat!).toBe(600);
  const me = await callApi(single.url, 'GET', '/v1/users/me', undefined, { authorization: `Bearer ${token}` });
  expect(me).toMatchObject({ status: 200, body: { displayName: 'Ana B' } });
});

test.each([
  [['token'], withIssuers, /usage: node src\/main\.ts token --sub/],
  [['token', '--sub'], withIssuers, /usage/],
  [['token', '--sub', ''], withIssuers, /usage/],
  [['token', '--sub', 'a', '--colour', 'red'], withIssuers, /usage/],
  [['token', '--sub', 'a', '--lifetime', 'long'], withIssuers, /--lifetime must be a duration/],
  [['token', '--sub', 'a'], {}, /no host application with a secret/],
  [['frobnicate'], {}, /"frobnicate" is not a command/],
] as [string[], Record<string, string>, RegExp][])('%j is refused with one clear line', async (args, env, words) => {
  const { code, stdout, stderr } = await parley(args, env);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(words);
  expect(stderr).toMatch(/^parley: [^\n]*\n$/);
});

/** The lines of `doctor` by what they are about. */
async function doctor(env: Record<string, string>) {
  const ended = await parley(['doctor'], { PORT: '0', PARLEY_PROCESSING_PORT: '0', ...env });
  const lines = ended.stdout.trimEnd().split('\n');
  const about = (what: string) => lines.filter((line) => line.slice(6).startsWith(what));
  for (const line of lines) expect(line).toMatch(/^(ok {2}|warn|fail) {2}\S/);
  return { ...ended, about };
}

test('doctor finds all well where it is', async () => {
  const database = await createDatabase();
  onTestFinished(database.drop);
  const smtp = new SMTPServer({ disabledCommands: ['AUTH', 'STARTTLS'] });
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void smtp.close());
  const { code, about, stdout } = await doctor({
    DATABASE_URL: database.url,
    REDIS_URL: inject('redisUrl'),
    SMTP_URL: `smtp://127.0.0.1:${(smtp.server.address() as AddressInfo).port}`,
    PORT: String(await freePort()),
  });
  expect(stdout).not.toMatch(/^fail/m);
  expect(code).toBe(0);
  expect(about('node')).toEqual([expect.stringContaining(process.version)]);
  expect(about('ports')).toEqual([expect.stringContaining('is free')]);
  expect(about('database')).toEqual([expect.stringMatching(/^ok .*PostgreSQL 18/)]);
  expect(about('clock')).toEqual([expect.stringMatching(/^ok/)]);
  expect(about('redis')).toEqual([expect.stringMatching(/^ok .*Redis \d/)]);
  expect(about('smtp')).toEqual([expect.stringMatching(/^ok/)]);
  expect(stdout).not.toContain(new URL(database.url).password);
});

test('doctor names everything that is wrong, exits 1 and tells no secret', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void taken.close());
  const nowhere = await freePort();
  const { code, about, stdout } = await doctor({
    HOST: '127.0.0.1',
    PORT: String((taken.address() as AddressInfo).port),
    DATABASE_URL: `postgres://user:hunter2@127.0.0.1:${nowhere}/parley`,
    REDIS_URL: `redis://:hunter2@127.0.0.1:${nowhere}`,
    SMTP_URL: `smtp://user:hunter2@127.0.0.1:${nowhere}`,
    PUBLIC_URL: `http://parley.invalid:${nowhere}`,
  });
  expect(code).toBe(1);
  for (const what of ['ports', 'database', 'redis', 'smtp'])
    expect([what, about(what)]).toEqual([what, [expect.stringMatching(/^fail/)]]);
  expect(about('ports')[0]).toContain('"http.port" from the environment (PORT)');
  expect(about('public URL')).toEqual([expect.stringMatching(/^warn/)]);
  expect(stdout).not.toContain('hunter2');
});

test('doctor finds the folder of an embedded database that cannot be written, and a configuration that is not good', async () => {
  const file = join(dir, 'a-file');
  await writeFile(file, '');
  const folder = await doctor({ PARLEY_DATABASE_EMBEDDED_DIR: join(file, 'data') });
  expect([folder.code, folder.about('data folder')]).toEqual([1, [expect.stringMatching(/^fail/)]]);
  const settings = await doctor({ PARLEY_HTPP_PORT: '1' });
  expect([settings.code, settings.about('settings')]).toEqual([1, [expect.stringMatching(/^fail .*PARLEY_HTPP_PORT/)]]);
});

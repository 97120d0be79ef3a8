import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { nodeEnvironment } from '../harness/node-environment.ts';
import { startParley } from '../harness/parley-process.ts';
import { startSingle } from '../harness/stack.ts';
import { callApi, connect, createRoom, openSocket, signUp } from '../harness/test-client.ts';
import { createDatabase } from '../harness/test-database.ts';

const run = promisify(execFile);
const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const parley = (args: string[], env: Record<string, string> = {}) =>
  run(process.execPath, [entry, ...args], { env: { ...nodeEnvironment, ...env } });
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'parley-config-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test('flags win over the environment, the environment over the file, the file over defaults; secrets are masked', async () => {
  const file = join(dir, 'parley.yaml');
  await writeFile(file, 'http: { port: 1001, host: 127.0.0.1 }\nroom: { nameMax: 77 }\nlog: { level: warn }\n');
  const { stdout } = await parley(['--config', file, '--http.port', '1003', '--print-config'], {
    PORT: '1002',
    LOG_LEVEL: 'error',
    JWT_SECRET: 'x'.repeat(32),
  });
  expect(stdout).toContain('http.port: 1003');
  expect(stdout).toContain('log.level: "error"');
  expect(stdout).toContain('room.nameMax: 77');
  expect(stdout).toContain('http.bodyBytes: 1048576');
  expect(stdout).toContain('auth.jwtSecret: "***"');
  expect(stdout).not.toContain('xxxx');
});

test('--help names every flag with its environment name', async () => {
  const { stdout } = await parley(['--help']);
  for (const part of ['--role', '--http.port', 'PARLEY_HTTP_PORT', 'DATABASE_URL', 'admin create'])
    expect(stdout).toContain(part);
});

test.each([
  ['an unknown flag', ['--colour', 'red'], {}, /unknown flag --colour; the nearest known one is --/],
  [
    'an unknown variable',
    [],
    { PARLEY_HTTP_PROT: '1' },
    /PARLEY_HTTP_PROT in the environment; the nearest known one is PARLEY_HTTP_PORT/,
  ],
  ['a wrong port', [], { PORT: '99999' }, /"http.port" from the environment \(PORT\).*allowed/],
  ['a short secret', [], { JWT_SECRET: 'short' }, /"auth.jwtSecret".*\(secret\).*32 bytes/],
  ['a chat role without a database', ['--role', 'chat'], {}, /DATABASE_URL/],
  ['an odd role', ['--role', 'both'], {}, /"role" from the flag --role is "both"; allowed is/],
  [
    'a database that is not there',
    ['--database.startupTimeout', '300ms'],
    { DATABASE_URL: 'postgres://x:y@127.0.0.1:9/z' },
    /the database cannot be used/,
  ],
  [
    'a public processing port without a token',
    ['--role', 'processing'],
    { PARLEY_PROCESSING_HOST: '0.0.0.0', DATABASE_URL: 'postgres://x/y' },
    /PROCESSING_TOKEN/,
  ],
  [
    'the same beside the chat role',
    ['--role', 'all'],
    { PARLEY_PROCESSING_HOST: '::', DATABASE_URL: 'postgres://x/y' },
    /PROCESSING_TOKEN/,
  ],
] as [string, string[], Record<string, string>, RegExp][])(
  '%s stops the start with one clear line',
  async (_, args, env, message) => {
    await expect(parley(args, env)).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(message) });
    await expect(parley(args, env)).rejects.toMatchObject({ stderr: expect.stringMatching(/^parley: [^\n]*\n$/) });
  },
);

test('two instances that start together on an empty database both become ready', async () => {
  const name = `empty_${Date.now()}`;
  const admin = postgres(inject('postgresUrl'), { max: 1 });
  await admin.unsafe(`create database ${name}`);
  const url = inject('postgresUrl').replace(/\/postgres$/, `/${name}`);
  const both = await Promise.all([1, 2].map(() => startParley({ role: 'all', settings: { DATABASE_URL: url } })));
  for (const each of both) {
    expect((await fetch(`${each.url}/health/ready`)).status).toBe(200);
    await signUp(each.url);
  }
  expect(await Promise.all(both.map((each) => each.stop()))).toEqual([0, 0]);
  await admin.unsafe(`drop database ${name} with (force)`);
  await admin.end();
});

test('the first admin comes from the command line, the password from standard input', async () => {
  const database = await createDatabase();
  const child = run(process.execPath, [entry, 'admin', 'create', '--username', 'boss', '--email', 'boss@example.org'], {
    env: { ...nodeEnvironment, DATABASE_URL: database.url },
  });
  child.child.stdin!.end('a password of some length\n');
  expect((await child).stdout).toMatch(/^boss is an admin now: /);
  const single = await startParley({ role: 'all', settings: { DATABASE_URL: database.url } });
  const login = await callApi(single.url, 'POST', '/v1/auth/login', {
    login: 'boss@example.org',
    password: 'a password of some length',
  });
  expect(login).toMatchObject({ status: 200, body: { user: { role: 'admin', emailVerified: true } } });
  expect((await signUp(single.url)).id).toBeDefined();
  await single.stop();
  await database.drop();
});

test('SIGTERM: every send in flight is answered, sockets are told when to come back, and the exit code is 0', async () => {
  const single = await startSingle({ PARLEY_DRAIN_WINDOW: '6s' });
  const ana = await signUp(single.url);
  const room = await createRoom([ana]);
  const sockets = await Promise.all(Array.from({ length: 5 }, () => connect(single.url, ana)));
  const answers = Promise.all(Array.from({ length: 200 }, (_, n) => sockets[n % 5]!.say(room, `last words ${n}`)));
  single.signal('SIGTERM');
  // The door is open until the sockets are gone, and says where not to go.
  const ready = () => callApi(single.url, 'GET', '/health/ready');
  await expect.poll(async () => (await ready()).status).toBe(503);
  expect(await ready()).toMatchObject({ status: 503, body: { status: 'draining' } });
  expect((await callApi(single.url, 'GET', '/health/live')).status).toBe(200);
  expect((await ana.call('GET', '/v1/rooms')).status).toBe(200);
  await expect(openSocket(single.url)).rejects.toMatchObject({ status: 503 });
  expect(new Set((await answers).map((each) => each.type))).toEqual(new Set(['ack']));
  const closes = await Promise.all(sockets.map(({ closed }) => closed));
  expect(new Set(closes.map(({ code }) => code))).toEqual(new Set([1012]));
  for (const { frames } of sockets)
    expect(frames.find(({ type }) => type === 'notice')).toMatchObject({ retryAfterMs: expect.any(Number) });
  expect(await single.stop()).toBe(0);
  await single.database.drop();
});

test('the API is described, odd requests are refused in its own words, and what does not exist yet is 404', async () => {
  const single = await startSingle();
  const { body } = await callApi(single.url, 'GET', '/openapi.json');
  expect(body).toMatchObject({ openapi: '3.1.0' });
  expect(Object.keys(body.paths as object)).toEqual(
    expect.arrayContaining(['/v1/auth/register', '/v1/rooms/{roomId}/messages', '/v1/rooms/{roomId}/events']),
  );
  expect((await fetch(`${single.url}/docs`)).status).toBe(200);
  const ana = await signUp(single.url);
  const post = (init: RequestInit) =>
    fetch(`${single.url}/v1/rooms`, {
      method: 'POST',
      ...init,
      headers: { authorization: `Bearer ${ana.accessToken}`, ...init.headers },
    });
  expect((await post({ body: 'x'.repeat(1_100_000), headers: { 'content-type': 'application/json' } })).status).toBe(
    413,
  );
  expect((await post({ body: '<room/>', headers: { 'content-type': 'application/xml' } })).status).toBe(415);
  expect((await post({ body: '{"name":', headers: { 'content-type': 'application/json' } })).status).toBe(400);
  expect(
    (
      await post({
        body: '{}',
        headers: {
          'content-type': 'application/json',
          ...Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`x-${n}`, '1'])),
        },
      })
    ).status,
  ).toBe(431);
  for (const path of ['/v1/search?q=x', '/v1/webhooks']) {
    expect([path, (await ana.call('GET', path)).status]).toEqual([path, 404]);
    expect(JSON.stringify(body.paths)).not.toContain(path.split('?')[0]!);
  }
  const page = await fetch(`${single.url}/metrics`);
  expect(await page.text()).toContain('parley_sends_total');
  await single.end();
});

test.each([
  ['PARLEY_HTTP_TRUST_PROXY', '10.0.0.0/8,nearby', 'a list of CIDRs'],
  ['PARLEY_HTTP_TRUST_PROXY', '10.0.0.0/64', 'a list of CIDRs'],
  ['PARLEY_OUTBOUND_ALLOW', 'fd00::/129', 'a list of host names, addresses or CIDRs'],
  ['PARLEY_HTTP_ALLOWED_ORIGINS', 'https://app.example.com/path', 'a list of origins'],
  ['PARLEY_HTTP_ALLOWED_ORIGINS', 'app.example.com', 'a list of origins'],
  ['PARLEY_ADMINS', 'ana', 'a list of e-mail addresses'],
])('%s=%s stops the start with the key, its origin and what is allowed', async (name, value, allowed) => {
  const { stderr } = await parley(['--print-config'], { [name]: value }).catch((error: { stderr: string }) => error);
  expect(stderr).toContain(name);
  expect(stderr).toContain(`allowed is ${allowed}`);
});

/** The first admin: the user of the setup link, or on a loopback address the first user. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { holdTable } from '../harness/held-row.ts';
import { nodeEnvironment } from '../harness/node-environment.ts';
import { type ParleyProcess, startParley } from '../harness/parley-process.ts';
import { startSingle } from '../harness/stack.ts';
import { type Answer, callApi, signUp } from '../harness/test-client.ts';

const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const run = promisify(execFile);

// Several starts in one test.
vi.setConfig({ testTimeout: 300_000 });

/** An embedded Parley on a folder of its own. */
async function startEmbedded(settings: Record<string, string> = {}): Promise<{
  parley: ParleyProcess;
  dir: string;
  startAgain: () => Promise<ParleyProcess>;
}> {
  const dir = await mkdtemp(join(tmpdir(), 'parley-first-admin-'));
  const running: ParleyProcess[] = [];
  const start = async () => {
    running.push(await startParley({ role: 'all', settings: { PARLEY_DATABASE_EMBEDDED_DIR: dir, ...settings } }));
    return running.at(-1)!;
  };
  onTestFinished(async () => {
    for (const each of running) if (!each.exited()) await each.stop();
    await rm(dir, { recursive: true, force: true });
  });
  return { parley: await start(), dir, startAgain: start };
}

/** The links that a start has printed. */
const linksIn = (output: string) => [...output.matchAll(/(http\S+)\/#\/setup\?token=([\w-]{43})\s/g)];
async function setupTokenOf({ output }: ParleyProcess): Promise<string> {
  await expect.poll(() => linksIn(output()).length).toBe(1);
  return linksIn(output())[0]![2]!;
}

let count = 0;
/** Repeats what a server that has just started puts off. */
async function register(
  url: string,
  extra: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<Answer> {
  for (;;) {
    const username = `first${count++}`;
    const account = { username, email: `${username}@example.org`, password: 'a long enough one', ...extra };
    const answer = await callApi(url, 'POST', '/v1/auth/register', account, headers);
    if (answer.status !== 503) return answer;
  }
}

const roleOf = ({ body }: Answer) => (body.user as { role?: string } | undefined)?.role;

function answersAt(host: string, url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), host);
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    onTestFinished(() => void socket.destroy());
  });
}

/** Where the embedded server listens, and its password. */
async function urlOf(dir: string): Promise<string> {
  const password = (await readFile(join(dir, 'postgres', 'password'), 'utf8')).trim();
  const port = (await readFile(join(dir, 'postgres', 'data', 'postmaster.pid'), 'utf8')).split('\n')[3]!;
  return `postgres://parley:${password}@127.0.0.1:${port}/parley`;
}

test('of two who register first at the same moment one is the admin; a guest who came before is none', async () => {
  const { parley, dir } = await startEmbedded();
  const guest = await callApi(parley.url, 'POST', '/v1/auth/guest', { displayName: 'Early' });
  expect(guest).toMatchObject({ status: 201, body: { user: { role: 'user' } } });
  // Each of them has made its account, and the other does not see it.
  const table = await holdTable({ url: await urlOf(dir) }, 'known_devices');
  const two = Promise.all([signUp(parley.url), signUp(parley.url)]);
  await table.waiting(2);
  await table.release();
  const people = [...(await two), await signUp(parley.url)];
  const roles = await Promise.all(people.map(async ({ call }) => (await call('GET', '/v1/users/me')).body.role));
  expect(roles.toSorted()).toEqual(['admin', 'user', 'user']);
  expect(roles[2]).toBe('user');
  // The link that the start printed is of no more use.
  const late = await register(parley.url, { setupToken: await setupTokenOf(parley) });
  expect(late).toMatchObject({ status: 400, body: { code: 'invalid', errors: [{ path: '/setupToken' }] } });
});

test('an embedded first run is reached from its own machine alone, and somebody behind a proxy is no first admin', async () => {
  const { parley } = await startEmbedded({ HOST: '' });
  expect(await answersAt('127.0.0.1', parley.url)).toBe(true);
  expect(await answersAt('127.0.0.2', parley.url)).toBe(false);
  const byProxies = [
    ['x-forwarded-for', '203.0.113.7'],
    ['forwarded', 'for=203.0.113.7'],
    ['via', '1.1 edge'],
  ] as const;
  for (const [name, value] of byProxies) expect(roleOf(await register(parley.url, {}, { [name]: value }))).toBe('user');
  // Nor is anybody else: the first one is here already.
  expect(roleOf(await register(parley.url))).toBe('user');
  expect(roleOf(await register(parley.url, { setupToken: await setupTokenOf(parley) }))).toBe('admin');
});

test('where others can reach it the setup link makes the admin, once, and the next start prints none', async () => {
  const { parley, startAgain } = await startEmbedded({ HOST: '0.0.0.0', PARLEY_AUTH_REGISTRATION_ENABLED: 'false' });
  expect(await answersAt('127.0.0.2', parley.url)).toBe(true);
  expect((await register(parley.url)).status).toBe(403);
  for (const setupToken of ['x'.repeat(43), '']) expect((await register(parley.url, { setupToken })).status).toBe(400);
  const setupToken = await setupTokenOf(parley);
  const both = await Promise.all([register(parley.url, { setupToken }), register(parley.url, { setupToken })]);
  expect(both.map(({ status }) => status).toSorted()).toEqual([201, 400]);
  expect(both.map(roleOf)).toContain('admin');
  expect((await register(parley.url, { setupToken })).status).toBe(400);
  await parley.stop();
  const again = await startAgain();
  await expect.poll(() => again.output()).toContain('Parley is ready');
  expect(linksIn(again.output())).toEqual([]);
});

test('each start ends the link of the one before, and an account that exists becomes the admin by it', async () => {
  const { parley, startAgain } = await startEmbedded({ HOST: '0.0.0.0' });
  const first = await setupTokenOf(parley);
  const ana = await signUp(parley.url);
  expect((await ana.call('GET', '/v1/users/me')).body.role).toBe('user');
  await parley.stop();
  const again = await startAgain();
  const second = await setupTokenOf(again);
  const back = ana.at(again.url);
  expect((await back.call('POST', '/v1/auth/setup', { setupToken: first })).status).toBe(400);
  const guest = await callApi(again.url, 'POST', '/v1/auth/guest', { displayName: 'Early' });
  expect(guest.status).toBe(201);
  const bearer = { authorization: `Bearer ${guest.body.accessToken as string}` };
  expect((await callApi(again.url, 'POST', '/v1/auth/setup', { setupToken: second }, bearer)).status).toBe(403);
  const claimed = await back.call('POST', '/v1/auth/setup', { setupToken: second });
  expect(claimed).toMatchObject({ status: 200, body: { user: { role: 'admin' } } });
  back.accessToken = claimed.body.accessToken as string;
  expect((await back.call('GET', '/v1/moderation/audit')).status).toBe(200);
  expect((await back.call('POST', '/v1/auth/setup', { setupToken: second })).status).toBe(400);
});

test('with a database of one’s own nobody is admin by coming first: the link comes from the command line', async () => {
  const single = await startSingle();
  onTestFinished(single.end);
  expect(linksIn(single.output())).toEqual([]);
  expect(roleOf(await register(single.url))).toBe('user');
  const env = { ...nodeEnvironment, DATABASE_URL: single.database.url, PUBLIC_URL: 'https://chat.example.org/' };
  const { stdout } = await run(process.execPath, [entry, 'admin', 'setup-link'], { env });
  const [[, base, setupToken]] = linksIn(stdout) as [RegExpExecArray];
  expect(base).toBe('https://chat.example.org');
  expect(roleOf(await register(single.url, { setupToken }))).toBe('admin');
  await expect(run(process.execPath, [entry, 'admin', 'setup-link'], { env })).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^parley: there is an admin already[^\n]*\n$/),
  });
});

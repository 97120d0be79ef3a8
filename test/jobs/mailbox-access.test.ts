/** Who reads the development mailbox: callers on this machine who ask for nobody else, and admins. */
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, signUp, type TestUser } from '../harness/test-client.ts';

let parley: Single;
let port: number;
let admin: TestUser;
let user: TestUser;

beforeAll(async () => {
  parley = await startSingle({ HOST: '0.0.0.0' });
  port = Number(new URL(parley.url).port);
  [admin, user] = await Promise.all([signUp(parley.url), signUp(parley.url)]);
  const sql = postgres(parley.database.url, { max: 1 });
  await sql`update users set role = 'admin' where id = ${admin.id}`;
  await sql.end();
  const login = { login: admin.username, password: admin.password };
  admin.accessToken = (await callApi(parley.url, 'POST', '/v1/auth/login', login)).body.accessToken as string;
});
afterAll(() => parley.end());

const paths = ['/dev/mailbox', '/dev/mailbox.json'];

/** Asks as it is written, with no header added. @returns the status */
function ask(path: string, lines: readonly string[], { version = '1.1', host = '127.0.0.1' } = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    socket.once('error', reject);
    socket.once('data', (chunk: Buffer) => {
      resolve(Number(chunk.toString('latin1').split(' ')[1]));
      socket.destroy();
    });
    socket.write(`GET ${path} HTTP/${version}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`);
  });
}

test.each(['localhost', '127.0.0.1', '127.0.0.2', '[::1]', 'parley.localhost'])(
  'a caller on this machine who asks %s reads it',
  async (name) => {
    for (const path of paths) expect(await ask(path, [`Host: ${name}:${port}`])).toBe(200);
  },
);

const byProxies = [
  'X-Forwarded-For: 203.0.113.7',
  'X-Forwarded-For: 127.0.0.1',
  'X-Forwarded-For: unknown',
  'X-Forwarded-For:',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: chat.example.org',
  'X-Forwarded-Server: edge',
  'Forwarded: for=203.0.113.7',
  'X-Real-IP: 203.0.113.7',
  'Via: 1.1 edge',
  'CF-Connecting-IP: 203.0.113.7',
  'True-Client-IP: 203.0.113.7',
  'X-Client-IP: 203.0.113.7',
];

test.each(byProxies)('what a proxy asks (%s) is not asked on this machine', async (header) => {
  for (const path of paths) {
    const lines = [`Host: 127.0.0.1:${port}`, header];
    expect(await ask(path, lines)).toBe(401);
    expect(await ask(path, [...lines, `Authorization: Bearer ${user.accessToken}`])).toBe(403);
    expect(await ask(path, [...lines, `Authorization: Bearer ${admin.accessToken}`])).toBe(200);
  }
});

test('nor is what a proxy asks that says nothing and speaks HTTP/1.0', async () => {
  for (const path of paths) expect(await ask(path, [`Host: 127.0.0.1:${port}`], { version: '1.0' })).toBe(401);
});

test.each(['chat.example.org', '203.0.113.7', 'localhost.example.org', '127.0.0.1.example.org', 'notlocalhost'])(
  'a browser here that a stranger’s page sends to %s reads nothing',
  async (name) => {
    for (const path of paths) expect(await ask(path, [`Host: ${name}:${port}`])).toBe(401);
  },
);

const elsewhere = Object.values(networkInterfaces())
  .flat()
  .find((each) => each?.family === 'IPv4' && !each.internal)?.address;

test.runIf(elsewhere)('a caller from the network reads it as an admin alone', async () => {
  for (const path of paths) {
    const lines = [`Host: localhost:${port}`];
    expect(await ask(path, lines, { host: elsewhere! })).toBe(401);
    const bearer = `Authorization: Bearer ${admin.accessToken}`;
    expect(await ask(path, [...lines, bearer], { host: elsewhere! })).toBe(200);
  }
});

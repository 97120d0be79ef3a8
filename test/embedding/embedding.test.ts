/** Runs the guide of docs/embedding.md: its snippets as they stand there, in real servers and a real browser. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SignJWT } from 'jose';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { createParleyClient } from '../../src/client/index.ts';
import { nodeEnvironment } from '../harness/node-environment.ts';
import { type ParleyProcess, startParley } from '../harness/parley-process.ts';
import { freePort } from '../harness/ports.ts';
import { callApi } from '../harness/test-client.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const secret = 'change-me-to-32-random-bytes-or-more';
let folder: string;
let database: TestDatabase;
let parley: ParleyProcess;
let shop: ChildProcess;
let shopUrl: string;
let settings: Record<string, string>;

/** Writes every fenced block that has a file's name. @returns the names */
async function writeSnippets(): Promise<string[]> {
  const guide = await readFile(join(root, 'docs/embedding.md'), 'utf8');
  const names: string[] = [];
  for (const [, name, code] of guide.matchAll(/^```\w+ (\S+)\n([\s\S]*?)^```$/gm)) {
    await mkdir(dirname(join(folder, name!)), { recursive: true });
    await writeFile(join(folder, name!), code!);
    names.push(name!);
  }
  return names;
}

async function adminKey(): Promise<string> {
  const password = 'a long enough password';
  const create = execFile(
    process.execPath,
    [join(root, 'src/main.ts'), 'admin', 'create', '--username', 'boss', '--email', 'boss@example.org'],
    { env: { ...nodeEnvironment, DATABASE_URL: database.url } },
  );
  create.stdin!.end(`${password}\n`);
  expect(await new Promise((resolve) => create.once('exit', resolve))).toBe(0);
  const login = await callApi(parley.url, 'POST', '/v1/auth/login', { login: 'boss', password });
  const headers = { authorization: `Bearer ${login.body.accessToken}` };
  const scopes = ['users:write', 'rooms:write', 'members:write'];
  const made = await callApi(parley.url, 'POST', '/v1/api-keys', { name: 'shop', scopes }, headers);
  return made.body.key as string;
}

beforeAll(async () => {
  // Inside node_modules, so that the snippets find what they import, and nothing else looks there.
  folder = await mkdtemp(join(root, 'node_modules/.parley-embedding-'));
  expect(await writeSnippets()).toEqual(['parley.yaml', 'app.mjs', 'route.js', 'public/index.html', 'server.mjs']);
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  database = await createDatabase();
  parley = await startParley({
    role: 'all',
    settings: { DATABASE_URL: database.url, PARLEY_CONFIG: join(folder, 'parley.yaml') },
  });
  const key = await adminKey();
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [join(folder, 'server.mjs')], {
    env: { PARLEY_URL: parley.url, PARLEY_API_KEY: key },
  });
  expect(stdout).toMatch(/^[0-9a-f-]{36}$/);
  const again = await run(process.execPath, [join(folder, 'server.mjs')], {
    env: { PARLEY_URL: parley.url, PARLEY_API_KEY: key },
  });
  expect(again.stdout).toBe(stdout);
  settings = { CHAT_SECRET: secret, PARLEY_URL: parley.url, ROOM_ID: stdout };
  const port = await freePort();
  shopUrl = `http://127.0.0.1:${port}`;
  shop = spawn(process.execPath, ['app.mjs'], { cwd: folder, env: { ...settings, PORT: String(port) } });
  await vi.waitFor(async () => expect((await fetch(shopUrl)).ok).toBe(true), { timeout: 60_000, interval: 100 });
});
afterAll(async () => {
  shop.kill();
  await parley.stop();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

interface TokenAnswer {
  readonly token: string;
  readonly url: string;
  readonly roomId: string;
}

const me = (token: string) =>
  callApi(parley.url, 'GET', '/v1/users/me', undefined, { authorization: `Bearer ${token}` });

test('the Express route gives a token that Parley knows the user by', async () => {
  const answer = (await (await fetch(`${shopUrl}/chat-token`, { method: 'POST' })).json()) as TokenAnswer;
  expect(await me(answer.token)).toMatchObject({ status: 200, body: { displayName: 'Ana', role: 'user' } });
});

test('the Next.js route handler does the same, called with a Request over HTTP', async () => {
  Object.assign(process.env, settings);
  const { POST } = (await import(join(folder, 'route.js'))) as { POST: (request: Request) => Promise<Response> };
  // Next.js hands such a function a Request and sends its Response; this does just that.
  const server = createServer((request, response) => {
    void POST(new Request(`http://localhost${request.url}`, { method: request.method! })).then(async (answer) => {
      response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const answer = (await (await fetch(`http://127.0.0.1:${port}/chat-token`, { method: 'POST' })).json()) as TokenAnswer;
  server.close();
  server.closeAllConnections();
  expect(await me(answer.token)).toMatchObject({ status: 200, body: { displayName: 'Ben' } });
});

test('the plain page shows what is said, in Chromium', async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
  try {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    const welcomed = page.waitForEvent('websocket').then((socket) => socket.waitForEvent('framereceived'));
    await page.goto(shopUrl);
    await welcomed;
    await page.getByLabel('Message', { exact: true }).fill('hello from my own page');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('Ana: hello from my own page').waitFor();
    expect(problems).toEqual([]);
  } finally {
    await browser.close();
  }
});

test('a client whose tokens last four seconds has one connection, and gets each message once', async () => {
  const tokenFor = (seconds: number) =>
    new SignJWT({ name: 'Ana' })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer('https://shop.example')
      .setAudience('parley')
      .setSubject('42')
      .setIssuedAt()
      .setExpirationTime(`${seconds}s`)
      .sign(new TextEncoder().encode(secret));
  let [asked, opened] = [0, 0];
  class CountedWebSocket extends WebSocket {
    constructor(url: string, protocols: string | string[]) {
      super(url, protocols);
      opened += 1;
    }
  }
  const client = createParleyClient({
    url: parley.url,
    WebSocket: CountedWebSocket as never,
    token: () => {
      asked += 1;
      return tokenFor(4);
    },
  });
  onTestFinished(() => client.close());
  const heard: string[] = [];
  client.on('message.created', ({ data }) => heard.push(data.message.text));
  await expect.poll(() => client.connection.get().status).toBe('online');
  const headers = { authorization: `Bearer ${await tokenFor(600)}` };
  const path = `/v1/rooms/${settings.ROOM_ID}/messages`;
  const sent: string[] = [];
  // Beyond the end of the first two tokens.
  while (asked < 4) {
    const text = `tick ${sent.length}`;
    expect((await callApi(parley.url, 'POST', path, { clientId: text, text }, headers)).status).toBe(201);
    sent.push(text);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  await expect.poll(() => heard.filter((text) => text.startsWith('tick'))).toEqual(sent);
  expect(opened).toBe(1);
});

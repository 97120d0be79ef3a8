/** `@parley/client` as apps get it: packed, installed from its tarball into an empty folder, and used there in Node and in Chromium. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, type BrowserContext, chromium, type Page, type WebSocketRoute } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { ParleyClient } from '../../src/client/index.ts';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
/** Of scripts, with the pinned Node and npm. */
const env = { ...process.env, PATH: [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter) };
let folder: string;
let app: string;
let browser: Browser;
let parley: SharedParley;
let ana: TestUser;
let ben: TestUser;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-package-'));
  app = join(folder, 'app');
  const options = { cwd: root, env };
  await run(process.execPath, ['scripts/build-packages.ts', '--out', join(folder, 'built')], options);
  await run('npm', ['pack', '--pack-destination', folder, join(folder, 'built/client')], options);
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'))!;
  await run('mkdir', [app]);
  await writeFile(join(app, 'package.json'), '{"name":"app","private":true,"type":"module"}');
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(folder, tarball)], { cwd: app, env });
  parley = await useSharedParley();
  [ana, ben] = (await Promise.all([1, 2].map(() => signUp(parley.url)))) as [TestUser, TestUser];
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    // A page that the test writes has no address, and so may not reach the loopback by default.
    args: ['--no-sandbox', '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets'],
  });
});
afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

test('the installed package runs in Node, and its types hold under each way of resolving modules', async () => {
  const roomId = await createRoom([ana, ben]);
  const program = `
import { createParleyClient, ParleyError, type ChatMessage, type EventOf } from '@parley/client';
const [url, token, roomId] = process.argv.slice(2) as [string, string, string];
const parley = createParleyClient({ url, token: async () => token });
const room = parley.room(roomId);
parley.on('message.created', ({ data, seq }: EventOf<'message.created'>) => console.log(seq, data.message.text));
await room.send('from the package');
const { items } = await room.messages.load();
const texts: readonly string[] = items.map(({ text, status }: ChatMessage) => \`\${status} \${text}\`);
console.log(texts.join());
await room.pin('nothing').catch((error: unknown) => console.log(error instanceof ParleyError && error.code));
parley.close();
`;
  await writeFile(join(app, 'program.ts'), program);
  await writeFile(join(app, 'globals.d.ts'), 'declare const process: { readonly argv: readonly string[] };');
  const common = [
    '--noEmit',
    '--strict',
    '--target',
    'es2022',
    '--lib',
    'es2023,dom',
    '--types',
    '',
    '--skipLibCheck',
    'false',
  ];
  const tsc = (...how: string[]) =>
    run('tsc', [...common, ...how, 'program.ts', 'globals.d.ts'], { cwd: app, env }).catch(
      (error: { stdout: string }) => {
        throw new Error(error.stdout);
      },
    );
  await tsc('--module', 'nodenext');
  await tsc('--module', 'esnext', '--moduleResolution', 'bundler');
  const { stdout } = await run(process.execPath, ['program.ts', parley.url, ana.accessToken, roomId], { cwd: app });
  expect(stdout.trim().split('\n').slice(-2)).toEqual(['sent from the package', 'invalid']);
  expect(stdout).toMatch(/^\d+ from the package$/m);
});

/** Nodes on the path that have no WebSocket of their own. */
const [node20] = (process.env.PATH ?? '')
  .split(delimiter)
  .map((path) => join(path, 'node'))
  .filter((path) => existsSync(path))
  .filter((path) => spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout.startsWith('v20.'));

test.skipIf(!node20)('the installed package runs in Node 20, which has no WebSocket, by the stream', async () => {
  const roomId = await createRoom([ana, ben]);
  await writeFile(
    join(app, 'old.js'),
    `import { createParleyClient } from '@parley/client';
const [url, token, roomId] = process.argv.slice(2);
const parley = createParleyClient({ url, token: async () => token });
const heard = new Promise((resolve) => parley.on('message.created', ({ data }) => resolve(data.message.text)));
await parley.room(roomId).send('from Node 20');
console.log(typeof WebSocket, parley.connection.get().transport, await heard);
parley.close();
`,
  );
  const { stdout } = await run(node20!, ['old.js', parley.url, ana.accessToken, roomId], { cwd: app });
  expect(stdout.trim()).toBe('undefined sse from Node 20');
});

declare global {
  interface Window {
    parley: ParleyClient;
  }
}

/** A browser profile of a user, whose sockets the test controls. */
async function openProfile(user: TestUser) {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  const network = { isOffline: false, isMuted: false, open: new Set<WebSocketRoute>(), opened: 0 };
  await context.routeWebSocket(/\/v1\/ws$/, (socket) => {
    network.opened += 1;
    if (network.isOffline) {
      void socket.close();
      return;
    }
    const server = socket.connectToServer();
    network.open.add(socket);
    let isMuted = false;
    socket.onMessage((frame) => {
      server.send(frame);
      // What the server does is not told any more.
      isMuted ||= network.isMuted && String(frame).includes('message.send');
    });
    server.onMessage((frame) => {
      if (!isMuted) socket.send(frame);
    });
    const closed = () => network.open.delete(socket);
    socket.onClose(() => {
      closed();
      void server.close();
    });
    server.onClose((code, reason) => {
      closed();
      void socket.close({ ...(code === undefined ? {} : { code }), ...(reason === undefined ? {} : { reason }) });
    });
  });
  await serveApp(context, user);
  const goOffline = async (isOffline: boolean) => {
    network.isOffline = isOffline;
    await context.setOffline(isOffline);
    if (isOffline) for (const socket of network.open) void socket.close();
  };
  return { context, network, goOffline };
}

/** A page of an app on Parley's own origin, with the installed package. */
async function serveApp(context: BrowserContext, user: TestUser): Promise<void> {
  const html = `<!doctype html><title>App</title><script type="module">
import { createParleyClient } from './index.js';
window.parley = createParleyClient({ token: async () => ${JSON.stringify(user.accessToken)} });
window.parley.rooms.subscribe(() => {});
</script>`;
  await context.route(`${parley.url}/app/**`, async (route) => {
    const name = new URL(route.request().url()).pathname.replace('/app/', '');
    if (name === '') await route.fulfill({ contentType: 'text/html', body: html });
    else await route.fulfill({ path: join(app, 'node_modules/@parley/client', name) });
  });
}

async function openTab(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${parley.url}/app/`);
  await expect
    .poll(() => page.evaluate(() => window.parley?.connection.get()), { timeout: 15_000 })
    .toMatchObject({ status: 'online' });
  return page;
}

const send = (page: Page, roomId: string, text: string) =>
  page.evaluate(
    ([room, sent]) => {
      void window.parley.room(room!).send(sent!);
    },
    [roomId, text],
  );
const shown = (page: Page, roomId: string) =>
  page.evaluate(async (room) => {
    const { messages } = window.parley.room(room);
    await messages.load();
    return messages.get().items.map(({ text, status }) => `${text} ${status}`);
  }, roomId);
const storedTexts = async (roomId: string) => {
  const { messages } = (await mustCall(ben, 'GET', `/v1/rooms/${roomId}/messages`)) as unknown as {
    messages: { text: string }[];
  };
  return messages.map(({ text }) => text);
};

test('many tabs have one connection, and when its tab is closed in the middle of a send the message is stored once', async () => {
  const tabCount = Number(process.env.PARLEY_TEST_TABS ?? 5);
  const roomId = await createRoom([ana, ben]);
  const { context, network } = await openProfile(ana);
  const leader = await openTab(context);
  const others: Page[] = [];
  for (let n = 1; n < tabCount; n++) others.push(await openTab(context));
  expect(network.opened).toBe(1);
  await mustCall(ben, 'POST', `/v1/rooms/${roomId}/messages`, { clientId: 'b', text: 'hello tabs' });
  for (const tab of others) await expect.poll(() => shown(tab, roomId)).toEqual(['hello tabs sent']);

  network.isMuted = true;
  await send(leader, roomId, 'in the middle');
  await expect.poll(() => storedTexts(roomId)).toEqual(['hello tabs', 'in the middle']);
  network.isMuted = false;
  await send(others[0]!, roomId, 'from a tab without a connection');
  await leader.close();
  const both = ['in the middle', 'from a tab without a connection'];
  await expect.poll(() => storedTexts(roomId)).toEqual(['hello tabs', ...both]);
  for (const tab of others)
    await expect.poll(() => shown(tab, roomId)).toEqual(['hello tabs sent', ...both.map((text) => `${text} sent`)]);
  expect(network.open.size).toBe(1);
  expect(network.opened).toBe(2);
});

test('what was typed offline is sent once and in order, although the tab was closed', async () => {
  const roomId = await createRoom([ana, ben]);
  const { context, goOffline } = await openProfile(ana);
  const page = await openTab(context);
  await page.evaluate((room) => window.parley.room(room).messages.load(), roomId);
  await goOffline(true);
  await page.waitForFunction(() => window.parley.connection.get().status === 'offline');
  const typed = ['one', 'two', 'three', 'four', 'five'];
  for (const text of typed) await send(page, roomId, text);
  await expect.poll(() => shown(page, roomId)).toEqual(typed.map((text) => `${text} sending`));
  await page.close();
  expect(await storedTexts(roomId)).toEqual([]);
  await goOffline(false);
  const again = await openTab(context);
  await expect.poll(() => storedTexts(roomId)).toEqual(typed);
  await expect.poll(() => shown(again, roomId)).toEqual(typed.map((text) => `${text} sent`));
});

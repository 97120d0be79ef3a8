/** The page works at every address that reaches it, and says why where it cannot. */
import { connect, createServer, type Server } from 'node:net';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../harness/ports.ts';
import { type Single, startSingle } from '../harness/stack.ts';

let browser: Browser;
let parley: Single;
let port: number;

beforeAll(async () => {
  port = await freePort();
  [browser, parley] = await Promise.all([
    chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--host-resolver-rules=MAP parley.test 127.0.0.1'],
    }),
    // publicUrl is http://localhost:<port>.
    startSingle({ HOST: '0.0.0.0' }, port),
  ]);
});
afterAll(async () => {
  await browser.close();
  await parley.end();
});

async function signUp(url: string): Promise<{ page: Page; complaints: string[] }> {
  const page = await (await browser.newContext()).newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (/Content Security Policy|Content-Security-Policy/i.test(message.text())) complaints.push(message.text());
  });
  await page.goto(url);
  const name = `p${Math.random().toString(36).slice(2, 10)}`;
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByLabel('Username').fill(name);
  await page.getByLabel('Email').fill(`${name}@example.org`);
  await page.getByLabel('Password').fill(`secret of ${name}`);
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByRole('button', { name: 'New room' }).waitFor();
  return { page, complaints };
}

/** A proxy that changes the Host header, as nginx does by default. */
async function startRenamingProxy(from: string, to: string): Promise<Server> {
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    client.on('data', (chunk: Buffer) => upstream.write(chunk.toString('latin1').replaceAll(from, to), 'latin1'));
    upstream.pipe(client);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) =>
    server.listen(Number(new URL(`http://${from.slice(6)}`).port), '127.0.0.1', resolve),
  );
  return server;
}

test.each(['localhost', '127.0.0.1', '127.0.0.2', 'parley.test'])(
  'a page opened at %s is connected and chats',
  async (host) => {
    const { page, complaints } = await signUp(`http://${host}:${port}`);
    await page.getByRole('button', { name: 'New room' }).click();
    await page.getByLabel('Room name').fill('Garden');
    await page.getByRole('button', { name: 'Create room' }).click();
    await page.getByRole('heading', { name: 'Garden' }).waitFor();
    // With the login's cookies from the first request on, as after every reload.
    await page.reload();
    await page.getByLabel('Message', { exact: true }).fill('from another address');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByRole('log', { name: 'Messages' }).getByText('from another address').waitFor();
    await expect.poll(() => page.getByText('Reconnecting').count()).toBe(0);
    expect(complaints).toEqual([]);
    await page.context().close();
  },
);

test('a page at an address that the server does not know says so instead of reconnecting for ever', async () => {
  const proxyPort = await freePort();
  const proxy = await startRenamingProxy(`Host: localhost:${proxyPort}`, `Host: localhost:${port}`);
  onTestFinished(() => void proxy.close());
  const { page } = await signUp(`http://localhost:${proxyPort}`);
  await page.reload();
  const banner = page.getByRole('status').filter({ hasText: 'does not accept live connections' });
  await banner.waitFor();
  await expect.poll(() => banner.textContent()).toContain(`http://localhost:${proxyPort}`);
  await expect.poll(() => banner.textContent()).toContain('publicUrl');
  expect(parley.output()).toContain(`"origin":"http://localhost:${proxyPort}"`);
  await page.context().close();
});

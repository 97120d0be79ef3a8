import { createServer, type Server } from 'node:http';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { freePort } from '../harness/ports.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, signUp } from '../harness/test-client.ts';

/** Parley on one port, a page of another site on another: the same host, so only the exact origin tells them apart. */
let parley: Single;
let publicUrl: string;
let evil: Server;
let evilUrl: string;
let browser: Browser;

beforeAll(async () => {
  const [port, evilPort] = [await freePort(), await freePort()];
  publicUrl = `http://localhost:${port}`;
  evilUrl = `http://localhost:${evilPort}`;
  evil = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>evil</title>');
  });
  await new Promise<void>((resolve) => evil.listen(evilPort, '127.0.0.1', resolve));
  [parley, browser] = await Promise.all([
    startSingle({ PUBLIC_URL: publicUrl, PARLEY_AUTH_ACCESS_TOKEN_LIFETIME: '20s' }, port),
    chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] }),
  ]);
});
afterAll(async () => {
  await browser.close();
  evil.close();
  await parley.end();
});

interface Fetched {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

interface Asked {
  readonly method?: string;
  readonly mode?: 'no-cors';
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** Sends a request from within a page, as its scripts do. */
function ask(page: Page, url: string, init: Asked = {}): Promise<Fetched | { failed: string }> {
  return page.evaluate(
    async ([target, options]) => {
      try {
        const response = await fetch(target, { credentials: 'include', ...options });
        const text = await response.text();
        return { status: response.status, body: text ? (JSON.parse(text) as Record<string, unknown>) : {} };
      } catch (error) {
        return { failed: (error as Error).message };
      }
    },
    [url, init] as const,
  );
}

const json = (body: object, headers: Record<string, string> = {}): Asked => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

async function enter(): Promise<{ page: Page; username: string }> {
  const { username, password } = await signUp(parley.url);
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${publicUrl}/health/live`);
  const answer = await ask(page, '/v1/auth/login', json({ login: username, password }, { 'parley-session': 'cookie' }));
  expect(answer).toMatchObject({ status: 200, body: { user: { username }, expiresIn: 20 } });
  expect(answer).not.toHaveProperty('body.accessToken');
  expect(answer).not.toHaveProperty('body.refreshToken');
  return { page, username };
}

/** Opens a socket from within a page. */
function openSocket(page: Page): Promise<string> {
  return page.evaluate(
    (url) =>
      new Promise<string>((resolve) => {
        const socket = new globalThis.WebSocket(`${url}/v1/ws`, 'parley.v1');
        socket.onopen = () => socket.send('{"type":"hello","id":1}');
        socket.onmessage = ({ data }) => resolve(String(data));
        socket.onclose = ({ code }) => resolve(`closed ${code}`);
      }),
    publicUrl.replace('http', 'ws'),
  );
}

test('a login in cookies is hidden from scripts, and reads, changes, connects, refreshes and logs out', async () => {
  const { page, username } = await enter();
  const cookies = await page.context().cookies();
  for (const name of ['parley-access', 'parley-refresh', 'parley-device'])
    expect(cookies.find((each) => each.name === name)).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/' });
  expect(await page.evaluate(() => document.cookie)).toBe('');
  expect(await ask(page, '/v1/users/me')).toMatchObject({ status: 200, body: { username } });
  const changed = await ask(page, '/v1/users/me', { ...json({ displayName: 'Cookie' }), method: 'PATCH' });
  expect(changed).toMatchObject({ status: 200, body: { displayName: 'Cookie' } });
  expect(JSON.parse(await openSocket(page))).toMatchObject({ type: 'welcome', user: { username } });

  const before = cookies.find(({ name }) => name === 'parley-refresh')!.value;
  const refreshed = await ask(page, '/v1/auth/refresh', json({}));
  expect(refreshed).toMatchObject({ status: 200, body: { user: { username } } });
  expect(refreshed).not.toHaveProperty('body.accessToken');
  const after = (await page.context().cookies()).find(({ name }) => name === 'parley-refresh')!.value;
  expect(after).not.toBe(before);

  expect(await ask(page, '/v1/auth/logout', { method: 'POST' })).toMatchObject({ status: 204 });
  expect((await page.context().cookies()).map(({ name }) => name)).toEqual(['parley-device']);
  expect(await ask(page, '/v1/users/me')).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
});

test('an expired access token in a cookie is answered with token_expired', async () => {
  const { page } = await enter();
  const kept = (await page.context().cookies()).filter(({ name }) => name !== 'parley-access');
  await page.context().clearCookies();
  await page.context().addCookies(kept);
  expect(await ask(page, '/v1/users/me')).toMatchObject({ status: 401, body: { code: 'token_expired' } });
  expect(await ask(page, '/v1/auth/refresh', json({}))).toMatchObject({ status: 200 });
  expect(await ask(page, '/v1/users/me')).toMatchObject({ status: 200 });
});

test('a page of another site cannot read, change or connect with these cookies', async () => {
  const { page, username } = await enter();
  await page.goto(evilUrl);
  // The cookies are sent: ports do not separate sites, so the origin is what is refused.
  for (const path of ['/v1/users/me', '/v1/rooms', '/v1/users/me/sessions'])
    expect(await ask(page, publicUrl + path)).toHaveProperty('failed');
  expect(
    await ask(page, `${publicUrl}/v1/users/me`, { ...json({ displayName: 'Owned' }), method: 'PATCH' }),
  ).toHaveProperty('failed');
  // Requests that browsers send without a preflight.
  const simple = { method: 'POST', mode: 'no-cors', headers: { 'content-type': 'text/plain' } } as const;
  for (const path of ['/v1/auth/logout', '/v1/auth/refresh', '/v1/rooms'])
    await ask(page, publicUrl + path, { ...simple, body: '{}' });
  await page.evaluate(
    (action) =>
      new Promise<void>((resolve) => {
        const frame = document.createElement('iframe');
        frame.name = 'target';
        frame.onload = () => resolve();
        const form = document.createElement('form');
        form.method = 'post';
        form.action = action;
        form.target = 'target';
        document.body.append(frame, form);
        form.submit();
      }),
    `${publicUrl}/v1/auth/logout`,
  );
  expect(await openSocket(page)).toBe('closed 1006');

  await page.goto(`${publicUrl}/health/live`);
  expect(await ask(page, '/v1/users/me')).toMatchObject({ status: 200, body: { username, displayName: username } });
  expect(await ask(page, '/v1/rooms')).toMatchObject({ body: { items: [] } });
});

/** The headers of a browser's request. */
async function cookiesOf(page: Page): Promise<string> {
  return (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
}

test.each([
  ['the page itself', () => ({ origin: publicUrl }), 200],
  ['no origin', () => ({}), 403],
  ['another origin', () => ({ origin: evilUrl }), 403],
  ['the same host by https', () => ({ origin: publicUrl.replace('http:', 'https:') }), 403],
  ['a name that begins alike', () => ({ origin: `${publicUrl}.evil.example` }), 403],
  ['the origin null', () => ({ origin: 'null' }), 403],
])('a change by cookies from %s is answered accordingly', async (_, headers, status) => {
  const { page } = await enter();
  const cookie = await cookiesOf(page);
  const answer = await callApi(parley.url, 'PATCH', '/v1/users/me', { displayName: 'X' }, { cookie, ...headers() });
  expect(answer.status).toBe(status);
  const socket = new WebSocket(`${parley.url.replace('http', 'ws')}/v1/ws`, 'parley.v1', {
    headers: { cookie, ...headers() },
  });
  const upgrade = await new Promise<number>((resolve) => {
    socket.on('open', () => resolve(200));
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode!));
    socket.on('error', () => {});
  });
  socket.terminate();
  expect(upgrade).toBe(status);
});

test.each([
  ['same-origin', 200],
  ['none', 200],
  ['same-site', 403],
  ['cross-site', 403],
])('reading by cookies with Sec-Fetch-Site %s is answered %i', async (site, status) => {
  const { page } = await enter();
  const headers = { cookie: await cookiesOf(page), 'sec-fetch-site': site };
  expect((await callApi(parley.url, 'GET', '/v1/users/me', undefined, headers)).status).toBe(status);
});

test('a token in the header takes precedence over cookies, from any origin', async () => {
  const { page } = await enter();
  const ben = await signUp(parley.url);
  const me = await ben.call('GET', '/v1/users/me', undefined, { cookie: await cookiesOf(page), origin: evilUrl });
  expect(me).toMatchObject({ status: 200, body: { username: ben.username } });
});

test('with https the cookies are Secure and bound to the host', async () => {
  const secure = await startSingle({ PUBLIC_URL: 'https://chat.example.org' });
  try {
    const { username, password } = await signUp(secure.url);
    const { headers } = await callApi(
      secure.url,
      'POST',
      '/v1/auth/login',
      { login: username, password },
      { origin: 'https://chat.example.org', 'parley-session': 'cookie' },
    );
    const cookies = headers.getSetCookie();
    expect(cookies).toHaveLength(3);
    for (const cookie of cookies)
      expect(cookie).toMatch(
        /^__Host-parley-(access|refresh|device)=[^;]+; Max-Age=\d+; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
      );
  } finally {
    await secure.end();
  }
});

/** Which pages may use a login in cookies: the server's own under every address, the listed ones, and no others. */
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, signUp } from '../harness/test-client.ts';

let parley: Single;
let port: string;
let cookie: string;

beforeAll(async () => {
  parley = await startSingle({
    HOST: '0.0.0.0',
    PUBLIC_URL: 'https://chat.example.org',
    PARLEY_AUTH_PROVIDERS: JSON.stringify({
      hub: { kind: 'github', clientId: 'x', clientSecret: 'x', authorizeUrl: 'https://hub.example/authorize' },
    }),
    PARLEY_HTTP_ALLOWED_ORIGINS: 'https://app.example.org',
    PARLEY_HTTP_TRUST_PROXY: '127.0.0.3/32',
  });
  ({ port } = new URL(parley.url));
  cookie = await logIn(parley, 'https://chat.example.org');
});
afterAll(() => parley.end());

/** @returns the cookies of a login */
async function logIn(at: Single, origin: string): Promise<string> {
  const { username, password } = await signUp(at.url);
  const body = { login: username, password };
  const { headers } = await callApi(at.url, 'POST', '/v1/auth/login', body, { origin, 'parley-session': 'cookie' });
  return headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ');
}

interface Sent {
  readonly host: string;
  readonly origin?: string;
  readonly headers?: Record<string, string>;
  /** The address that the connection is made from. */
  readonly from?: string;
}

const headersOf = ({ host, origin, headers }: Sent) => ({ cookie, host, ...(origin ? { origin } : {}), ...headers });

/** A change by cookies. @returns its status */
function change(sent: Sent): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({
      ...{ host: '127.0.0.1', port, method: 'PATCH', path: '/v1/users/me', localAddress: sent.from },
      headers: { ...headersOf(sent), 'content-type': 'application/json' },
    });
    asked.on('response', (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    asked.on('error', reject);
    asked.end('{"displayName":"X"}');
  });
}

/** An upgrade with cookies. @returns 101 or what it was refused with */
function upgrade(sent: Sent): Promise<number> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/ws`, 'parley.v1', {
    headers: headersOf(sent),
    ...(sent.from ? { localAddress: sent.from } : {}),
  });
  onTestFinished(() => socket.terminate());
  return new Promise((resolve) => {
    socket.on('open', () => resolve(101));
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode!));
    socket.on('error', () => {});
  });
}

// First, while nothing else was logged.
test('a refused page is told why, and logged once however often it comes; many of them fill no log', async () => {
  const ask = (origin: string) => callApi(parley.url, 'POST', '/v1/ws', undefined, { cookie, origin });
  const refusals = await Promise.all(Array.from({ length: 20 }, () => ask('http://elsewhere.example')));
  for (const { status, body } of refusals) {
    expect([status, body.code]).toEqual([403, 'forbidden']);
    expect(body.detail).toMatch(/http:\/\/elsewhere\.example.*publicUrl.*http\.allowedOrigins/);
  }
  const lines = () => parley.output().match(/refused a page of another origin/g)?.length ?? 0;
  await expect.poll(lines).toBe(1);
  await Promise.all(Array.from({ length: 80 }, (_, at) => ask(`http://n${at}.example`)));
  await expect.poll(() => parley.output()).toContain('further refused origins are not logged');
  expect(lines()).toBeLessThanOrEqual(50);
  expect((await ask(parley.url)).status).toBe(204);
});

describe.each([
  ['localhost', (p: string) => `localhost:${p}`],
  ['127.0.0.1', (p: string) => `127.0.0.1:${p}`],
  ['127.0.0.2', (p: string) => `127.0.0.2:${p}`],
  ['an IPv6 address', (p: string) => `[fd00::2]:${p}`],
  ['a host name of its own', () => 'parley.test'],
  ['a host name in capitals', () => 'Parley.Test:80'],
  ['the port of a forwarding', () => 'localhost:9999'],
])('a page that was opened at %s', (_, hostAt) => {
  test('is the server’s own: it changes and connects', async () => {
    const host = hostAt(port);
    const { origin } = new URL(`http://${host}`);
    expect(await change({ host, origin })).toBe(200);
    expect(await upgrade({ host, origin })).toBe(101);
  });

  test('is not the server’s own under another scheme, port or name', async () => {
    const host = hostAt(port);
    const { hostname } = new URL(`http://${host}`);
    for (const origin of [
      `https://${hostname}`,
      `http://${hostname}:1`,
      'http://evil.example',
      'null',
      `http://x.${host}`,
    ]) {
      expect([origin, await change({ host, origin })]).toEqual([origin, 403]);
      expect([origin, await upgrade({ host, origin })]).toEqual([origin, 403]);
    }
  });

  test('may connect to this host by its content security policy', async () => {
    const host = hostAt(port);
    const policy = await new Promise<string>((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, path: '/', headers: { host } });
      asked.on('response', (response) => {
        response.resume();
        resolve(String(response.headers['content-security-policy']));
      });
      asked.on('error', reject);
      asked.end();
    });
    const sources = /connect-src ([^;]*)/.exec(policy)![1]!.split(' ');
    expect(sources).toEqual(["'self'", `ws://${host}`, `wss://${host}`]);
  });
});

test.each([
  ['publicUrl', 'https://chat.example.org'],
  ['the list', 'https://app.example.org'],
])('a page of %s may come by every host name', async (_, origin) => {
  expect(await change({ host: `127.0.0.1:${port}`, origin })).toBe(200);
  expect(await upgrade({ host: 'other.test', origin })).toBe(101);
});

test.each([
  ['X-Forwarded-Proto', { 'x-forwarded-proto': 'https' }, 'inner.test', 'https://inner.test'],
  ['a socket scheme', { 'x-forwarded-proto': 'wss' }, 'inner.test', 'https://inner.test'],
  ['both', { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'talk.test' }, 'inner.test', 'https://talk.test'],
  ['the port', { 'x-forwarded-host': 'talk.test:8443' }, 'inner.test', 'http://talk.test:8443'],
])(
  'behind a trusted proxy the own address is the one it names (%s), and nobody else may name one',
  async (_, headers, host, origin) => {
    const trusted = { host, origin, headers, from: '127.0.0.3' };
    expect(await change(trusted)).toBe(200);
    expect(await upgrade(trusted)).toBe(101);
    expect(await change({ ...trusted, from: '127.0.0.1' })).toBe(403);
    expect(await upgrade({ ...trusted, from: '127.0.0.1' })).toBe(403);
  },
);

test.each(['a b', 'x/../y', 'user@x', 'x?y', 'x#y', ':', ''])(
  'the host "%s" is no address, and no page is its own',
  async (host) => {
    expect(await change({ host, origin: 'http://x' })).toBeGreaterThanOrEqual(400);
    expect(await upgrade({ host, origin: 'http://x' })).toBeGreaterThanOrEqual(400);
  },
);

test('over https the cookie of a login has the __Host- prefix and its attributes', async () => {
  const { status, headers } = await callApi(parley.url, 'GET', '/v1/auth/oauth/hub');
  expect(status).toBe(302);
  const [cookie, ...others] = headers.getSetCookie();
  expect(others).toEqual([]);
  expect(cookie).toMatch(/^__Host-parley-flow-[0-9a-f]{16}=/);
  for (const attribute of ['Path=/', 'Secure', 'HttpOnly', 'SameSite=Lax'])
    expect(cookie!.split('; ')).toContain(attribute);
});

test('where a public address leads here nothing of the mailbox looks as if it were asked on this machine', async () => {
  for (const path of ['/dev/mailbox', '/dev/mailbox.json'])
    expect((await callApi(parley.url, 'GET', path)).status).toBe(401);
});

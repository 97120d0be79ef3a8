/** What real proxies do to requests on their way. */
import { connect as connectTcp } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Nginx, startNginx } from '../harness/nginx.ts';
import { freePort } from '../harness/ports.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, signUp, type TestUser } from '../harness/test-client.ts';

let parley: Single;
let nginx: Nginx;
let ana: TestUser;

const proxyUser = 'Basic b3BzOnNlc2FtZQ=='; // ops:sesame

beforeAll(async () => {
  const [port, proxyPort] = [await freePort(), await freePort()];
  nginx = await startNginx(
    `location / { proxy_pass http://127.0.0.1:${port}; }
    location /locked/ {
      auth_basic "staging"; auth_basic_user_file FOLDER/users;
      proxy_pass http://127.0.0.1:${port}/; proxy_http_version 1.1;
      proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }`,
    { port: proxyPort, files: { users: 'ops:{PLAIN}sesame\n' } },
  );
  parley = await startSingle(
    {
      PUBLIC_URL: nginx.url,
      PARLEY_HTTP_TRUST_PROXY: '127.0.0.0/8',
      PARLEY_HTTP_HEADERS_TIMEOUT: '1s',
      PARLEY_HTTP_KEEP_ALIVE_TIMEOUT: '10m',
      PARLEY_HTTP_HEADER_BYTES: '32kB',
      PARLEY_LIMITS_LOGINS_PER_ACCOUNT: '3',
    },
    port,
  );
  ana = await signUp(parley.url, 'ana');
});
afterAll(async () => {
  await parley.end();
  await nginx.stop();
});

interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Writes these bytes and reads until the server closes, or until a whole answer is there. */
function exchange(text: string): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(Number(new URL(parley.url).port), '127.0.0.1', () => socket.write(text));
    let read = '';
    const answer = () => {
      const [head = '', body = ''] = read.split('\r\n\r\n');
      return { status: Number(head.split(' ')[1]), head: head.toLowerCase(), body };
    };
    socket.on('data', (chunk) => {
      read += chunk.toString('utf8');
      const { status, head, body } = answer();
      const length = Number(/content-length: (\d+)/.exec(head)?.[1] ?? Number.NaN);
      if (read.includes('\r\n\r\n') && (status === 101 || body.length >= length)) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer()));
  });
}

async function addressSeen(forwardedFor: string): Promise<unknown> {
  const login = { login: ana.username, password: ana.password };
  const { body, status } = await callApi(parley.url, 'POST', '/v1/auth/login', login, {
    'x-forwarded-for': forwardedFor,
  });
  expect(status).toBe(200);
  const sessions = await callApi(parley.url, 'GET', '/v1/users/me/sessions', undefined, {
    authorization: `Bearer ${String(body.accessToken)}`,
  });
  return sessions.body.items?.find((each) => each.current)?.address;
}

test.each([
  ['198.51.100.7:53211', '198.51.100.7'],
  ['[2001:db8::7]:443', '2001:db8::7'],
  ['"[2001:db8::7]:443"', '2001:db8::7'],
  ['[2001:db8::7]', '2001:db8::7'],
  ['::ffff:198.51.100.7', '198.51.100.7'],
  ['fe80::1%eth0', 'fe80::1'],
  [' 198.51.100.7 ,', '198.51.100.7'],
  ['192.0.2.1, 198.51.100.7:53211, 127.0.0.9:443', '198.51.100.7'],
])('the client behind "%s" is %s', async (forwardedFor, address) => {
  expect(await addressSeen(forwardedFor)).toBe(address);
});

test.each(['unknown', '_hidden', '999.1.1.1', '<script>', 'a'.repeat(60), ',', '198.51.100.7, unknown'])(
  'what is no address (%s) hides nobody: the proxy itself counts',
  async (forwardedFor) => {
    expect(await addressSeen(forwardedFor)).toBe('127.0.0.1');
  },
);

test('a client is one address for the limits, whatever ports its connections have', async () => {
  const ben = await signUp(parley.url, 'ben');
  const guess = (from: string) =>
    callApi(
      parley.url,
      'POST',
      '/v1/auth/login',
      { login: ben.username, password: 'a wrong guess 1' },
      { 'x-forwarded-for': from },
    );
  for (const port of [1024, 1025, 1026]) expect((await guess(`198.51.100.8:${port}`)).status).toBe(401);
  expect((await guess('198.51.100.8:1027')).status).toBe(429);
  expect((await guess('198.51.100.9:1027')).status).toBe(401);
});

test('a proxy that is not trusted is named in the log once, and its clients stay one address', async () => {
  const bare = await startSingle();
  try {
    for (const address of ['198.51.100.7', '198.51.100.8'])
      await callApi(bare.url, 'GET', '/health/live', undefined, { 'x-forwarded-for': address });
    await expect.poll(() => bare.output().split('http.trustProxy').length - 1).toBe(1);
  } finally {
    await bare.end();
  }
});

test('a request for a whole URL is that for its path, with the same protection of its answer', async () => {
  const { status, head, body } = await exchange(
    `GET http://chat.example/v1/users/me HTTP/1.1\r\nhost: chat.example\r\nauthorization: Bearer ${ana.accessToken}\r\nconnection: close\r\n\r\n`,
  );
  expect({ status, user: JSON.parse(body) }).toMatchObject({ status: 200, user: { id: ana.id } });
  for (const header of ['cache-control: no-store', 'x-content-type-options: nosniff', 'content-security-policy:'])
    expect(head).toContain(header);
});

const upgrade = (target: string, more = '') =>
  `GET ${target} HTTP/1.1\r\nhost: parley\r\nupgrade: websocket\r\nconnection: Upgrade\r\n${more}sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

test.each(['/v1/ws', 'http://chat.example/v1/ws', 'HTTP://chat.example:8080/v1/ws'])(
  'an upgrade of %s is let in',
  async (target) => {
    expect((await exchange(upgrade(target))).status).toBe(101);
  },
);

test('two Host headers are refused, of requests and of upgrades', async () => {
  const get = 'GET /v1/auth/providers HTTP/1.1\r\nhost: a\r\nHost: b\r\nconnection: close\r\n\r\n';
  expect((await exchange(get)).status).toBe(400);
  expect((await exchange(upgrade('/v1/ws', 'Host: b\r\n'))).status).toBe(400);
});

test('a connection that was opened in advance is closed without an answer to a request that nobody made', async () => {
  expect((await exchange('')).head).toBe('');
  // One that began a request is told.
  expect((await exchange('GET /v1/auth/prov')).status).toBe(408);
});

test('cookies of other applications on the domain may be as large as the operator says', async () => {
  const cookie = `other=${'x'.repeat(20_000)}`;
  expect((await callApi(nginx.url, 'GET', '/v1/auth/providers', undefined, { cookie })).status).toBe(200);
  const tooMany = { cookie: `other=${'x'.repeat(40_000)}` };
  expect((await callApi(parley.url, 'GET', '/v1/auth/providers', undefined, tooMany)).body).toMatchObject({
    code: 'headers_too_large',
  });
});

test('unused connections stay open as long as the operator says, for proxies that keep theirs', async () => {
  const response = await fetch(`${parley.url}/health/live`, { headers: { connection: 'keep-alive' } });
  expect(response.headers.get('keep-alive')).toBe('timeout=600');
});

test('a proxy that drops the upgrade headers is named to the client and in the log', async () => {
  const socket = new WebSocket(`${nginx.url.replace('http', 'ws')}/v1/ws`, 'parley.v1');
  const { status, upgradeHeader, text } = await new Promise<Record<string, unknown>>((resolve, reject) => {
    socket.on('open', () => reject(new Error('nginx passed the upgrade on')));
    socket.on('error', () => {});
    socket.on('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString('utf8');
      });
      response.on('end', () =>
        resolve({ status: response.statusCode, upgradeHeader: response.headers.upgrade, text: body }),
      );
    });
  });
  expect({ status, text }).toEqual({ status: 426, text: expect.stringContaining('a proxy in between must pass on') });
  expect([undefined, 'websocket']).toContain(upgradeHeader); // nginx keeps this header to itself
  const direct = await exchange('GET /v1/ws HTTP/1.1\r\nhost: parley\r\nconnection: close\r\n\r\n');
  expect(direct.head).toContain('upgrade: websocket');
  await expect.poll(() => parley.output()).toContain('a proxy must pass on Upgrade and Connection');
});

/** The cookies of a login, as a browser would send them. */
async function logInWithCookies(): Promise<string> {
  const response = await fetch(`${nginx.url}/locked/v1/auth/login`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'parley-session': 'cookie',
      authorization: proxyUser,
      origin: nginx.url,
    },
    body: JSON.stringify({ login: ana.username, password: ana.password }),
  });
  expect(response.status).toBe(200);
  return response.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
}

test('behind a proxy with a password of its own, a login in cookies counts, for requests and for sockets', async () => {
  const cookie = await logInWithCookies();
  const locked = { cookie, authorization: proxyUser, origin: nginx.url };
  expect((await callApi(nginx.url, 'GET', '/locked/v1/users/me', undefined, locked)).body).toMatchObject({
    id: ana.id,
  });
  const socket = new WebSocket(`${nginx.url.replace('http', 'ws')}/locked/v1/ws`, 'parley.v1', { headers: locked });
  const welcome = await new Promise<Record<string, unknown>>((resolve, reject) => {
    socket.on('open', () => socket.send(JSON.stringify({ type: 'hello', id: 1 })));
    socket.on('message', (data) => resolve(JSON.parse(String(data)) as Record<string, unknown>));
    socket.on('error', reject);
  });
  socket.close();
  expect(welcome).toMatchObject({ type: 'welcome' });
  // Without cookies the proxy's password is no login, and another scheme is none either.
  for (const authorization of [proxyUser, `Token ${ana.accessToken}`])
    expect((await callApi(parley.url, 'GET', '/v1/users/me', undefined, { authorization })).status).toBe(401);
});

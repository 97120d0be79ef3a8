import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { borrowFleet } from '../harness/borrowed-fleet.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, signUp } from '../harness/test-client.ts';

const from = (address: string) => ({ 'x-forwarded-for': address });
const logIn = (url: string, login: string, password: string, headers: Record<string, string> = {}) =>
  callApi(url, 'POST', '/v1/auth/login', { login, password }, headers);
const deviceIn = (headers: Headers) => /parley-device=[\w-]{43}/.exec(headers.get('set-cookie') ?? '')![0];

/** Behind a trusted proxy, so that a test can use many addresses. */
let parley: Single;
let direct: Single;

beforeAll(async () => {
  [parley, direct] = await Promise.all([
    startSingle({
      PARLEY_HTTP_TRUST_PROXY: '127.0.0.1/32',
      PARLEY_LIMITS_LOGINS_PER_ACCOUNT: '3',
      PARLEY_LIMITS_LOGINS_PER_MINUTE: '40',
      PARLEY_LIMITS_REQUESTS_PER_DEVICE: '30',
      PARLEY_LIMITS_REQUESTS_PER_MINUTE: '60',
      PARLEY_LIMITS_REQUESTS_PER_ADDRESS: '90',
    }),
    startSingle({ PARLEY_LIMITS_LOGINS_PER_ACCOUNT: '3', PARLEY_HTTP_ALLOWED_ORIGINS: 'https://app.example.org' }),
  ]);
});
afterAll(() => Promise.all([parley.end(), direct.end()]));

test('failed logins are limited per place, so the owner can log in elsewhere', async () => {
  const ana = await signUp(parley.url);
  for (let guess = 0; guess < 3; guess++)
    expect((await logIn(parley.url, ana.username, `guess ${guess}`, from('203.0.113.7'))).status).toBe(401);
  const slowed = await logIn(parley.url, ana.username, ana.password, from('203.0.113.7'));
  expect(slowed).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  expect(Number(slowed.headers.get('retry-after'))).toBeGreaterThan(60);
  expect((await logIn(parley.url, ana.username, ana.password, from('198.51.100.4'))).status).toBe(200);
});

test('an IPv6 network counts as one address, and a name in any case as one name', async () => {
  const ana = await signUp(parley.url);
  await logIn(parley.url, ana.username, 'guess', from('2001:db8:1:2::1'));
  await logIn(parley.url, ana.username, 'guess', from('2001:db8:1:2:ffff::2'));
  await logIn(parley.url, ana.username.toUpperCase(), 'guess', from('2001:db8:1:2::3'));
  expect((await logIn(parley.url, ana.username, ana.password, from('2001:db8:1:2::4'))).status).toBe(429);
  expect((await logIn(parley.url, ana.username, ana.password, from('2001:db8:1:3::4'))).status).toBe(200);
});

test('refusals do not reveal whose address it is, and an account has no third name', async () => {
  const [ana, ben] = await Promise.all([signUp(parley.url), signUp(parley.url)]);
  const trace = async (names: readonly string[], address: string) => {
    const statuses = [];
    for (const name of names)
      for (let guess = 0; guess < 4; guess++)
        statuses.push((await logIn(parley.url, name, `guess ${guess}`, from(address))).status);
    return statuses;
  };
  const own = await trace([ana.username, ana.email], '203.0.113.60');
  expect(own).toEqual([401, 401, 401, 429, 401, 401, 401, 429]);
  expect(await trace([ana.username, ben.email], '203.0.113.61')).toEqual(own);
  for (const name of [ana.username, ana.email, ana.email.toUpperCase()])
    expect((await logIn(parley.url, name, ana.password, from('203.0.113.60'))).status).toBe(429);
});

test('a trusted device can log in from the address of somebody who guesses', async () => {
  const ana = await signUp(parley.url);
  const address = from('192.0.2.9');
  const known = deviceIn((await logIn(parley.url, ana.username, ana.password, address)).headers);
  for (let guess = 0; guess < 4; guess++) await logIn(parley.url, ana.username, 'guess', address);
  expect((await logIn(parley.url, ana.username, ana.password, address)).status).toBe(429);
  expect((await logIn(parley.url, ana.username, ana.password, { ...address, cookie: known })).status).toBe(200);
  // Another account's device, or an invented one, does not help.
  const ben = await signUp(parley.url);
  const bens = deviceIn((await logIn(parley.url, ben.username, ben.password, address)).headers);
  for (const cookie of [bens, `parley-device=${randomBytes(32).toString('base64url')}`])
    expect((await logIn(parley.url, ana.username, ana.password, { ...address, cookie })).status).toBe(429);
});

test('known and unknown names are limited in the same way', async () => {
  const ana = await signUp(parley.url);
  const trace = async (login: string, address: string) => {
    const answers = [];
    for (let guess = 0; guess < 5; guess++) {
      const { status, body } = await logIn(parley.url, login, 'guess', from(address));
      answers.push([status, body.code, body.detail]);
    }
    return answers;
  };
  expect(await trace(ana.username, '203.0.113.50')).toEqual(await trace('nobody-of-this-name', '203.0.113.51'));
});

test('requests per address are limited, also with an invented token', async () => {
  const statuses: number[] = [];
  for (let n = 0; n < 42; n++) {
    const token = randomBytes(32).toString('base64url');
    const headers = { ...from('203.0.113.99'), authorization: `Bearer ${token}` };
    statuses.push((await callApi(parley.url, 'POST', '/v1/auth/verify-email', { token }, headers)).status);
  }
  expect(statuses.slice(0, 40).every((status) => status === 400)).toBe(true);
  expect(statuses.slice(40)).toEqual([429, 429]);
  const elsewhere = await callApi(parley.url, 'POST', '/v1/auth/verify-email', { token: 'x' }, from('203.0.113.98'));
  expect(elsewhere.status).toBe(400);
});

test('a valid login raises the limit of an address, an invalid one does not', async () => {
  const [ana, ben] = await Promise.all([signUp(parley.url), signUp(parley.url)]);
  await ben.call('POST', '/v1/auth/logout');
  const address = from('203.0.113.120');
  const ask = async (headers: Record<string, string>) =>
    (await callApi(parley.url, 'GET', '/v1/users/me', undefined, { ...headers, ...address })).status;
  const madeUp = () => randomBytes(32).toString('base64url');
  const [head, claims] = ana.accessToken.split('.');
  const shown = [
    () => ({ authorization: `Bearer ${madeUp()}` }),
    () => ({ authorization: `Bearer ${head}.${claims}.${madeUp()}` }),
    () => ({ authorization: `Bearer parley_key_${madeUp()}` }),
    () => ({ authorization: `Basic ${madeUp()}` }),
    () => ({ authorization: `Bearer ${ben.accessToken}` }),
    () => ({ cookie: `parley-access=${madeUp()}` }),
  ];
  for (let n = 0; n < 60; n++) expect(await ask(shown[n % shown.length]!())).toBe(401);
  for (const each of [...shown, () => ({})]) expect(await ask(each())).toBe(429);
  const good: Record<string, string>[] = [
    { authorization: `Bearer ${ana.accessToken}` },
    { cookie: `parley-access=${ana.accessToken}` },
  ];
  for (const each of good) expect(await ask(each)).toBe(200);
  for (let n = 69; n < 90; n++) expect(await ask(good[0]!)).toBe(200);
  for (const each of good) expect(await ask(each)).toBe(429);
});

test('requests for unknown paths are counted, too', async () => {
  const statuses = [];
  for (let n = 0; n < 61; n++)
    statuses.push((await callApi(parley.url, 'GET', `/v1/nothing/${n}`, undefined, from('203.0.113.121'))).status);
  expect(statuses.indexOf(429)).toBe(60);
});

test('requests per session are limited from any address, and another session of the user is not affected', async () => {
  const ana = await signUp(parley.url);
  const answers = [];
  for (let n = 0; n < 31; n++) answers.push(await ana.call('GET', '/v1/users/me', undefined, from(`198.51.100.${n}`)));
  expect(answers.slice(0, 30).every(({ status }) => status === 200)).toBe(true);
  expect(answers[30]).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  expect(Number(answers[30]!.headers.get('retry-after'))).toBeGreaterThan(0);
  const other = await logIn(parley.url, ana.username, ana.password, from('198.51.100.200'));
  const authorization = `Bearer ${other.body.accessToken as string}`;
  expect((await callApi(parley.url, 'GET', '/v1/users/me', undefined, { authorization })).status).toBe(200);
});

test('without trusted proxies X-Forwarded-For is ignored, also from loopback', async () => {
  const ana = await signUp(direct.url);
  for (let guess = 0; guess < 3; guess++) await logIn(direct.url, ana.username, 'guess', from(`203.0.113.${guess}`));
  expect((await logIn(direct.url, ana.username, ana.password, from('198.51.100.77'))).status).toBe(429);
  const ben = await signUp(direct.url);
  const forwarded = { ...from('198.51.100.77'), forwarded: 'for=198.51.100.78', 'x-real-ip': '198.51.100.79' };
  await logIn(direct.url, ben.username, ben.password, forwarded);
  const { body } = await ben.call('GET', '/v1/users/me/sessions');
  expect(body.items!.map(({ address }) => address)).toEqual(['127.0.0.1', '127.0.0.1']);
});

test('a trusted proxy is trusted for its own hop, not for what a client wrote', async () => {
  const ana = await signUp(parley.url);
  await logIn(parley.url, ana.username, ana.password, from('198.51.100.1, 203.0.113.200'));
  const { body } = await ana.call('GET', '/v1/users/me/sessions');
  expect(body.items!.map(({ address }) => address)).toContain('203.0.113.200');
});

test('pages of known origins may send credentials, others may not, and security headers are set', async () => {
  const preflight = (origin: string) =>
    fetch(`${direct.url}/v1/users/me`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'authorization' },
    });
  const known = await preflight('https://app.example.org');
  expect(known.headers.get('access-control-allow-origin')).toBe('https://app.example.org');
  expect(known.headers.get('access-control-allow-credentials')).toBe('true');
  expect(known.headers.get('access-control-allow-methods')).toContain('PATCH');
  const strange = ['https://evil.example', 'https://app.example.org.evil.example', 'http://app.example.org', 'null'];
  for (const origin of strange)
    expect((await preflight(origin)).headers.get('access-control-allow-origin'), origin).toBeNull();
  const page = await fetch(`${direct.url}/`);
  expect(page.headers.get('content-security-policy')).toMatch(/default-src 'self'.*frame-ancestors 'none'/);
  for (const [name, value] of [
    ['x-content-type-options', 'nosniff'],
    ['x-frame-options', 'SAMEORIGIN'],
    ['referrer-policy', 'no-referrer'],
    ['cross-origin-opener-policy', 'same-origin'],
  ])
    expect(page.headers.get(name!), name).toBe(value);
  expect((await callApi(direct.url, 'POST', '/v1/auth/login', {})).headers.get('cache-control')).toBe('no-store');
});

test('instances count together in Redis; without it each counts by itself, more strictly and without waiting', async () => {
  const fleet = await borrowFleet();
  const [one, two] = fleet.chats.map(({ url }) => url) as [string, string];
  try {
    const [ana, ben] = await Promise.all([signUp(one), signUp(one)]);
    for (let guess = 0; guess < 8; guess++) {
      const url = guess % 2 === 0 ? one : two;
      expect((await logIn(url, ana.username, `guess ${guess}`)).status).toBe(401);
    }
    for (const url of [one, two]) expect((await logIn(url, ana.username, ana.password)).status).toBe(429);

    await fleet.redis.kill();
    // Each attempt weighs four: the third is refused, on each instance for itself.
    for (const url of [one, two]) {
      const statuses = [];
      for (let guess = 0; guess < 3; guess++) statuses.push((await logIn(url, ben.username, `guess ${guess}`)).status);
      expect(statuses).toEqual([401, 401, 429]);
    }
    const me = await ana.call('GET', '/v1/users/me');
    expect(me.status).toBe(200);
    const metrics = await (await fetch(`${one}/metrics`)).text();
    expect(metrics).toMatch(/parley_breaker_open\{peer="redis-counters"\} 1/);

    await fleet.redis.start();
    for (const url of [one, two])
      await expect
        .poll(async () => (await (await fetch(`${url}/metrics`)).text()).includes('peer="redis-counters"} 0'))
        .toBe(true);
    const carla = await signUp(one);
    for (let guess = 0; guess < 8; guess++) await logIn(guess % 2 === 0 ? one : two, carla.username, 'guess');
    expect((await logIn(two, carla.username, carla.password)).status).toBe(429);
  } finally {
    await fleet.end();
  }
});

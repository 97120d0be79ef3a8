/** Logins through providers that deviate from the standard, as real ones do. */
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { startParley } from '../harness/parley-process.ts';
import { freePort } from '../harness/ports.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi } from '../harness/test-client.ts';
import { type OddIssuer, oddClient, startOddIssuer } from './odd-issuer.ts';
import { Browser } from './oidc-issuer.ts';

vi.setConfig({ testTimeout: 120_000 });

let parley: Single;
let odd: OddIssuer;
/** Providers whose discovery document is read once, as the test about each left it. */
const own: Record<'unusual' | 'posted' | 'announcing', OddIssuer> = {} as never;
const tenantA = '11111111-2222-3333-4444-555555555555';
const tenantB = '66666666-7777-8888-9999-aaaaaaaaaaaa';

beforeAll(async () => {
  odd = await startOddIssuer();
  for (const name of ['unusual', 'posted', 'announcing'] as const) own[name] = await startOddIssuer();
  const port = await freePort();
  const { origin } = odd;
  const client = { kind: 'oidc', clientId: oddClient.id, clientSecret: oddClient.secret };
  parley = await startSingle(
    {
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      PARLEY_AUTH_PROVIDERS: JSON.stringify({
        plain: { ...client, issuer: origin },
        slash: { ...client, issuer: `${origin}/` },
        entra: { ...client, issuer: `${origin}/common/v2.0` },
        elsewhere: { ...client, issuer: 'https://public.example/realm', discoveryUrl: `${origin}/inside/document` },
        post: { ...client, issuer: `${origin}/`, clientAuth: 'post' },
        // Under another name of this machine, so that its form comes from another site.
        apple: {
          ...client,
          issuer: origin,
          authorizeUrl: `${origin.replace('127.0.0.1', 'localhost')}/authorize`,
          params: { response_mode: 'form_post', prompt: 'login' },
        },
        company: { ...client, issuer: origin, require: { hd: ['example.org', 'example.net'] } },
        wrong: { ...client, issuer: `${origin}/other` },
        lost: { ...client, issuer: `${origin}/lost`, discoveryUrl: `${origin}/nothing/here` },
        moved: { ...client, issuer: `${origin}/moved/` },
        unusual: { ...client, issuer: own.unusual.origin },
        posted: { ...client, issuer: own.posted.origin },
        announcing: { ...client, issuer: own.announcing.origin },
      }),
    },
    port,
  );
});
afterAll(async () => {
  await parley.end();
  for (const each of [odd, ...Object.values(own)]) await each.stop();
});
beforeEach(() => odd.be({}));

/** @returns the parameters in the fragment at the end of a login */
async function walk(provider: string): Promise<URLSearchParams> {
  const end = await new Browser().logIn(`${parley.url}/v1/auth/oauth/${provider}`, '');
  return new URLSearchParams(end.hash.slice(1));
}

async function logIn(provider = 'plain'): Promise<Record<string, unknown>> {
  const answer = await walk(provider);
  expect(answer.get('error')).toBeNull();
  const { status, body } = await callApi(parley.url, 'POST', '/v1/auth/oauth/token', { code: answer.get('code') });
  expect(status).toBe(200);
  return body.user as Record<string, unknown>;
}

const failure = async (provider = 'plain') => (await walk(provider)).get('error');
/** Discovery happens once, so each test that overrides it has a provider of its own. */
const sub = () => `sub-${Math.random().toString(36).slice(2)}`;

test('an issuer with and without a slash at its end is the same one', async () => {
  odd.be({ claims: { sub: sub() } });
  await logIn('slash');
  odd.be({ discovery: { issuer: `${odd.origin}/moved` }, claims: { iss: `${odd.origin}/moved`, sub: sub() } });
  await logIn('moved');
});

test.each([
  ['names another issuer', 'wrong', () => `calls its issuer \\"${odd.origin}\\"`],
  ['is not there', 'lost', () => 'there is no document at'],
])(
  'a document that %s is refused; what is wrong stands in the log, for the operator alone',
  async (_what, name, reason) => {
    const { status, body } = await callApi(parley.url, 'GET', `/v1/auth/oauth/${name}`);
    expect({ status, ...body }).toMatchObject({ status: 503, detail: `the login provider ${name} cannot be used` });
    await expect.poll(() => parley.output()).toContain(reason());
  },
);

test('a client secret that no provider could give is refused at the start', async () => {
  const one = { kind: 'oidc', issuer: odd.origin, clientId: 'parley', clientSecret: 'gehe\u00efm' };
  const refused = startParley({
    role: 'all',
    settings: { DATABASE_URL: parley.database.url, PARLEY_AUTH_PROVIDERS: JSON.stringify({ one }) },
  });
  await expect(refused).rejects.toThrow('"clientSecret" must be a text of printable ASCII');
});

test('a discovery document with unusual URLs does not crash the process', async () => {
  own.unusual.be({ discovery: { token_endpoint: 'ftp://files.example/token' } });
  expect((await callApi(parley.url, 'GET', '/v1/auth/oauth/unusual')).status).toBe(503);
  expect((await callApi(parley.url, 'GET', '/health/live')).status).toBe(200);
});

test('users of several tenants log in, each with the issuer of their tenant', async () => {
  const issuerOf = (tenant: string) => `${odd.origin}/${tenant}/v2.0`;
  const discovery = { issuer: issuerOf('{tenantid}') };
  odd.be({ discovery, claims: { iss: issuerOf(tenantA), tid: tenantA, sub: 'same' } });
  const first = await logIn('entra');
  expect((await logIn('entra')).id).toBe(first.id);
  odd.be({ discovery, claims: { iss: issuerOf(tenantB), tid: tenantB, sub: 'same' } });
  expect((await logIn('entra')).id).not.toBe(first.id);
  for (const claims of [
    { iss: issuerOf(tenantA), tid: tenantB },
    { iss: issuerOf(tenantA) },
    { iss: issuerOf('{tenantid}'), tid: '{tenantid}' },
    { iss: issuerOf('evil/x'), tid: 'evil/x' },
  ]) {
    odd.be({ discovery, claims });
    expect(await failure('entra')).toBe('failed');
  }
});

test('the discovery document may be at another address, and may redirect', async () => {
  const issuer = 'https://public.example/realm';
  odd.be({
    documentAt: '/inside/document',
    redirectDocument: true,
    discovery: { issuer },
    claims: { iss: issuer, sub: sub() },
  });
  await logIn('elsewhere');
});

test('the client secret is sent as the provider or the operator requires', async () => {
  odd.be({ secretIn: 'header', claims: { sub: sub() } });
  await logIn('plain');
  odd.be({ secretIn: 'body', claims: { sub: sub() } });
  await logIn('post');
  expect(await failure('plain')).toBe('failed');
});

test('the discovery document can require the secret in the body', async () => {
  own.posted.be({ secretIn: 'body', discovery: { token_endpoint_auth_methods_supported: ['client_secret_post'] } });
  const end = await new Browser().logIn(`${parley.url}/v1/auth/oauth/posted`, '');
  expect(end.hash).toMatch(/^#code=/);
});

test('an answer must contain iss if the provider announces it', async () => {
  const { announcing } = own;
  const discovery = { authorization_response_iss_parameter_supported: true };
  const end = () => new Browser().logIn(`${parley.url}/v1/auth/oauth/announcing`, '');
  announcing.be({ discovery });
  expect((await end()).hash).toBe('#error=failed');
  announcing.be({ back: { iss: 'https://other.example' } });
  expect((await end()).hash).toBe('#error=failed');
  announcing.be({ back: { iss: announcing.origin } });
  expect((await end()).hash).toMatch(/^#code=/);
});

test.each([
  ['refuses', 403],
  ['is not found', 404],
  ['is a page', 'html' as const],
])('a userinfo endpoint that %s does not undo what the id token proves', async (_what, userinfo) => {
  odd.be({ userinfo, claims: { sub: sub(), name: 'Ana Proved', email: `${sub()}@example.org`, email_verified: true } });
  expect(await logIn()).toMatchObject({ displayName: 'Ana Proved', emailVerified: true });
  expect(await logIn()).toMatchObject({ displayName: 'Ana Proved' });
});

test('a login fails while the userinfo endpoint is down, and the next one reads it', async () => {
  const who = sub();
  odd.be({ userinfo: 503, claims: { sub: who } });
  expect(await failure()).toBe('unavailable');
  odd.be({ userinfo: { sub: who, name: 'Late Name' }, claims: { sub: who } });
  expect(await logIn()).toMatchObject({ displayName: 'Late Name' });
});

test('a signed userinfo answer is read, one of another issuer is not', async () => {
  odd.be({ userinfo: 'signed' });
  expect(await logIn()).toMatchObject({ displayName: 'Signed Name', email: 'signed@example.org' });
});

test('a token without a key id is tried with every key of the provider', async () => {
  odd.be({ claims: { sub: sub() } });
  await logIn();
  odd.be({ claims: { sub: sub() }, header: { kid: 'unknown' } });
  expect(await failure()).toBe('failed');
});

test('JSON of a token endpoint is accepted with any media type', async () => {
  odd.be({ tokenType: 'text/plain', claims: { sub: sub() } });
  await logIn();
});

test.each([
  [{ given_name: 'Ana', family_name: 'López' }, 'Ana López'],
  [{ given_name: 'Ana' }, 'Ana'],
  [{ nickname: 'anita' }, 'anita'],
  [{ name: '', given_name: 'Ana', family_name: 'B' }, 'Ana B'],
])('a person without a name is called by its parts: %j', async (claims, displayName) => {
  odd.be({ claims: { sub: sub(), ...claims } });
  expect(await logIn()).toMatchObject({ displayName });
});

test('the first of several addresses counts, as unverified without a claim', async () => {
  const address = `${sub()}@example.org`;
  odd.be({ claims: { sub: sub(), emails: [address, 'other@example.org'] } });
  expect(await logIn()).toMatchObject({ email: address, emailVerified: false });
});

test.each([
  ['missing', undefined],
  ['empty', ''],
  ['blank', '  '],
  ['too long', 'x'.repeat(256)],
  ['with NUL', 'a\0b'],
  ['a list', ['odd']],
  ['an object', { id: 1 }],
  ['a number that JSON rounds', 2 ** 63],
  ['a fraction', 1.5],
  ['true', true],
])('a sub that is %s proves nobody', async (_what, value) => {
  odd.be({ claims: { sub: value } });
  expect(await failure()).toBe('failed');
});

test('a numeric sub identifies the same person as its text', async () => {
  odd.be({ claims: { sub: 42_000_000_001 }, userinfo: { sub: 42_000_000_001, name: 'Number' } });
  const first = await logIn();
  expect(first).toMatchObject({ displayName: 'Number' });
  odd.be({ claims: { sub: '42000000001' } });
  expect((await logIn()).id).toBe(first.id);
});

test('the log says why a token was refused', async () => {
  const past = Math.floor(Date.now() / 1000) - 3600;
  odd.be({ claims: { exp: past } });
  expect(await failure()).toBe('failed');
  odd.be({ claims: { aud: 'somebody-else' } });
  expect(await failure()).toBe('failed');
  odd.be({ algorithm: 'HS256' });
  expect(await failure()).toBe('failed');
  for (const reason of ['\\"exp\\" claim', '\\"aud\\" claim', 'signature algorithm of the token is not supported'])
    await expect.poll(() => parley.output()).toContain(reason);
});

test('clocks may differ a little', async () => {
  const now = Math.floor(Date.now() / 1000);
  odd.be({ claims: { sub: sub(), iat: now + 20, nbf: now + 20, exp: now + 320 } });
  await logIn();
  odd.be({ claims: { sub: sub(), iat: now - 320, exp: now - 10 } });
  await logIn();
});

test('the operator limits who may log in by signed claims', async () => {
  odd.be({ claims: { sub: sub(), hd: 'example.net' } });
  await logIn('company');
  for (const hd of [undefined, 'evil.example', ['evil.example'], { 'example.org': true }]) {
    // Userinfo does not replace signed claims.
    odd.be({ claims: { hd }, ...(hd === undefined ? {} : { userinfo: { sub: 'odd', hd: 'example.org' } }) });
    expect(await failure('company')).toBe('forbidden');
  }
});

test('a provider that posts a form, as Apple does, logs in from a real browser of another site', async () => {
  const user = JSON.stringify({ name: { firstName: 'Ana', lastName: 'Apfel' }, email: 'x@example.org' });
  odd.be({ claims: { sub: sub() }, back: { user, id_token: 'not looked at' } });
  const chrome = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
  try {
    const page = await chrome.newPage();
    await page.goto(`${parley.url}/v1/auth/oauth/apple`);
    await page.waitForURL(/#(code|error)=/);
    const answer = new URLSearchParams(new URL(page.url()).hash.slice(1));
    expect(answer.get('error')).toBeNull();
    const { body } = await callApi(parley.url, 'POST', '/v1/auth/oauth/token', { code: answer.get('code') });
    expect(body.user).toMatchObject({ displayName: 'Ana Apfel' });
    expect(odd.asked().get('prompt')).toBe('login');
  } finally {
    await chrome.close();
  }
});

test('an incomplete or oversized form redirects to the page, too', async () => {
  const post = (body: string, type = 'application/x-www-form-urlencoded') =>
    fetch(`${parley.url}/v1/auth/oauth/apple/callback`, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'content-type': type },
      body,
    });
  expect((await post('state=x&code=y')).status).toBe(303);
  for (const [body, type] of [
    ['x='.padEnd(100_000, 'x'), 'application/x-www-form-urlencoded'],
    ['{}', 'application/json'],
  ] as const) {
    const { status, headers } = await post(body, type);
    expect([status, headers.get('location')]).toEqual([302, expect.stringContaining('#error=')]);
  }
});

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../harness/ports.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, signUp } from '../harness/test-client.ts';

let parley: Single;
let issuer: string;
let stopIssuer: () => Promise<void>;

/** A real OIDC provider whose people log in by typing any name; the page is clicked by `walk`. */
async function startIssuer(callback: string) {
  const port = await freePort();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [{ client_id: 'parley', client_secret: 'a-secret-of-the-provider', redirect_uris: [callback] }],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        name: `Name of ${id}`,
        preferred_username: id,
        email: `${id}@example.org`,
        email_verified: true,
      }),
    }),
    cookies: { keys: ['tests only'] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
  });
  const server = createServer(provider.callback());
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

beforeAll(async () => {
  const port = await freePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  ({ issuer, stop: stopIssuer } = await startIssuer(`${publicUrl}/v1/auth/oauth/acme/callback`));
  const settings = {
    PUBLIC_URL: publicUrl,
    PARLEY_AUTH_PROVIDERS_ACME_KIND: 'oidc',
    PARLEY_AUTH_PROVIDERS_ACME_ISSUER: issuer,
    PARLEY_AUTH_PROVIDERS_ACME_CLIENT_ID: 'parley',
    PARLEY_AUTH_PROVIDERS_ACME_CLIENT_SECRET: 'a-secret-of-the-provider',
  };
  parley = await startSingle(settings, port);
});
afterAll(async () => {
  await parley.end();
  await stopIssuer();
});

/** A browser's cookies, by host; enough for these two servers. */
class Browser {
  readonly jar = new Map<string, Map<string, string>>();

  async go(method: string, url: string, form?: Record<string, string>): Promise<Response> {
    const { host } = new URL(url);
    const cookies = this.jar.get(host) ?? new Map<string, string>();
    this.jar.set(host, cookies);
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      headers: {
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        ...(form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
      },
      ...(form ? { body: new URLSearchParams(form).toString() } : {}),
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const [name = '', value = ''] = pair.split(/=(.*)/s) as [string, string];
      if (value === '' || /expires=Thu, 01 Jan 1970/i.test(line)) cookies.delete(name);
      else cookies.set(name, value);
    }
    return response;
  }

  /** Follows redirects and fills the provider's pages until it is back at Parley's page. */
  async logIn(start: string, name: string): Promise<URL> {
    let response = await this.go('GET', start);
    let at = start;
    for (let step = 0; step < 20; step++) {
      const next = response.headers.get('location');
      if (next) {
        at = new URL(next, at).href;
        if (new URL(at).hash) return new URL(at);
        response = await this.go('GET', at);
        continue;
      }
      const page = await response.text();
      const action = /<form[^>]+action="([^"]+)"/.exec(page)?.[1];
      if (!action) throw new Error(`no form at ${at}: ${response.status} ${page.slice(0, 400)}`);
      const prompt = /name="prompt" value="([^"]+)"/.exec(page)?.[1] ?? 'login';
      response = await this.go(
        'POST',
        new URL(action, at).href,
        prompt === 'login' ? { prompt, login: name, password: 'any' } : { prompt },
      );
    }
    throw new Error('the login goes round in circles');
  }
}

const codeOf = (url: URL) => new URLSearchParams(url.hash.slice(1)).get('code')!;
const exchange = (code: string) => callApi(parley.url, 'POST', '/v1/auth/oauth/token', { code });

test('a person logs in through the provider and gets an account; the second time it is the same one', async () => {
  const first = await exchange(codeOf(await new Browser().logIn(`${parley.url}/v1/auth/oauth/acme`, 'carla')));
  expect(first).toMatchObject({
    status: 200,
    body: { user: { username: 'carla', displayName: 'Name of carla', emailVerified: true } },
  });
  const again = await exchange(codeOf(await new Browser().logIn(`${parley.url}/v1/auth/oauth/acme`, 'carla')));
  expect((again.body.user as { id: string }).id).toBe((first.body.user as { id: string }).id);
});

test('the code is good once', async () => {
  const code = codeOf(await new Browser().logIn(`${parley.url}/v1/auth/oauth/acme`, 'dora'));
  const answers = await Promise.all([exchange(code), exchange(code)]);
  expect(answers.map((each) => each.status).sort()).toEqual([200, 401]);
});

test('an address or a name that somebody has here does not open their account', async () => {
  const emil = await signUp(parley.url, 'emil');
  const login = await exchange(codeOf(await new Browser().logIn(`${parley.url}/v1/auth/oauth/acme`, 'emil')));
  expect(login.status).toBe(200);
  expect((login.body.user as { id: string }).id).not.toBe(emil.id);
  expect((login.body.user as { username: string }).username).toMatch(/^emil-/);
});

test('a forged state, a callback without cookies and an unknown provider are refused', async () => {
  const browser = new Browser();
  await browser.go('GET', `${parley.url}/v1/auth/oauth/acme`);
  expect((await browser.go('GET', `${parley.url}/v1/auth/oauth/acme/callback?code=x&state=forged`)).status).toBe(400);
  expect((await new Browser().go('GET', `${parley.url}/v1/auth/oauth/acme/callback?code=x&state=y`)).status).toBe(400);
  expect((await new Browser().go('GET', `${parley.url}/v1/auth/oauth/nobody`)).status).toBe(404);
});

test('a login returns only to allowed places', async () => {
  const answer = await new Browser().go(
    'GET',
    `${parley.url}/v1/auth/oauth/acme?returnTo=${encodeURIComponent('https://evil.example/')}`,
  );
  expect(answer.status).toBe(400);
});

test('a refusal at the provider comes back as an error in the address', async () => {
  const browser = new Browser();
  await browser.go('GET', `${parley.url}/v1/auth/oauth/acme`);
  const back = await browser.go('GET', `${parley.url}/v1/auth/oauth/acme/callback?error=access_denied&state=x`);
  expect(back.status).toBe(302);
  expect(back.headers.get('location')).toBe(`${parley.url}/#error=access_denied`);
});

test('the way to log in is listed', async () => {
  expect((await callApi(parley.url, 'GET', '/v1/auth/providers')).body.items).toEqual([
    { name: 'acme', kind: 'oidc', label: 'acme', url: '/v1/auth/oauth/acme' },
  ]);
});

import { createHash, randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mailTo, tokenIn } from '../harness/mailbox.ts';
import { freePort } from '../harness/ports.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, mustCall, signUp, type TestUser } from '../harness/test-client.ts';
import { type GithubProvider, githubClient, startGithubProvider } from './github-provider.ts';
import { Browser, clientSecret, type OidcIssuer, startOidcIssuer } from './oidc-issuer.ts';

let parley: Single;
let oidc: OidcIssuer;
let github: GithubProvider;
const allowedPage = 'https://page.example';

beforeAll(async () => {
  const port = await freePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  oidc = await startOidcIssuer([`${publicUrl}/v1/auth/oauth/acme/callback`]);
  github = await startGithubProvider();
  const settings = {
    PUBLIC_URL: publicUrl,
    PARLEY_HTTP_ALLOWED_ORIGINS: allowedPage,
    PARLEY_AUTH_PROVIDER_TIMEOUT: '700ms',
    PARLEY_AUTH_PROVIDER_PROBE_PAUSE_MAX: '1s',
    PARLEY_AUTH_PROVIDERS: JSON.stringify({
      acme: { kind: 'oidc', issuer: oidc.issuer, clientId: 'parley', clientSecret },
      hub: {
        kind: 'github',
        clientId: githubClient.id,
        clientSecret: githubClient.secret,
        authorizeUrl: `${github.origin}/login/oauth/authorize`,
        tokenUrl: `${github.origin}/login/oauth/access_token`,
        userUrl: `${github.origin}/user`,
        label: 'The Hub',
      },
      gone: { kind: 'oidc', issuer: `http://127.0.0.1:${await freePort()}`, clientId: 'x', clientSecret: 'x' },
    }),
  };
  parley = await startSingle(settings, port);
});
afterAll(async () => {
  await parley.end();
  await oidc.stop();
  await github.stop();
});

const fragment = (url: URL, name: string) => new URLSearchParams(url.hash.slice(1)).get(name)!;
const exchange = (code: string) => callApi(parley.url, 'POST', '/v1/auth/oauth/token', { code });
const logIn = async (name: string, provider = 'acme') =>
  exchange(fragment(await new Browser().logIn(`${parley.url}/v1/auth/oauth/${provider}`, name), 'code'));
const idOf = (login: { body: Record<string, unknown> }) => (login.body.user as { id: string }).id;

test('the first login through a provider creates an account, and the second one finds it', async () => {
  const first = await logIn('carla');
  expect(first).toMatchObject({
    status: 200,
    body: { user: { username: 'carla', displayName: 'Name of carla', emailVerified: true } },
  });
  expect(idOf(await logIn('carla'))).toBe(idOf(first));
});

test('a code works once', async () => {
  const code = fragment(await new Browser().logIn(`${parley.url}/v1/auth/oauth/acme`, 'dora'), 'code');
  const answers = await Promise.all([exchange(code), exchange(code)]);
  expect(answers.map((each) => each.status).sort()).toEqual([200, 401]);
});

test('only the page that began a login can exchange its code', async () => {
  const start = (binding?: string) =>
    `${parley.url}/v1/auth/oauth/acme${binding === undefined ? '' : `?binding=${binding}`}`;
  const trade = (code: string, verifier?: string) =>
    callApi(parley.url, 'POST', '/v1/auth/oauth/token', { code, ...(verifier === undefined ? {} : { verifier }) });
  const [own, others] = [randomBytes(32).toString('base64url'), randomBytes(32).toString('base64url')];
  const binding = createHash('sha256').update(own).digest('base64url');
  const browser = new Browser();
  const code = async (of: string) => fragment(await browser.logIn(of, 'dunja'), 'code');
  for (const verifier of [undefined, others, binding])
    expect((await trade(await code(start(binding)), verifier)).body).toMatchObject({ code: 'unauthenticated' });
  // A code of an unbound login, given to a page that binds its logins.
  expect((await trade(await code(start()), own)).status).toBe(401);
  // A wrong secret uses the code up.
  const tried = await code(start(binding));
  expect((await trade(tried, others)).status).toBe(401);
  expect((await trade(tried, own)).status).toBe(401);
  expect((await trade(await code(start(binding)), own)).status).toBe(200);
  // An abandoned login does not affect the next one.
  await browser.go('GET', start(binding));
  expect((await trade(await code(start()))).status).toBe(200);
  for (const wrong of ['short', `${binding}x`, 'ä'.repeat(43)])
    expect((await browser.go('GET', start(encodeURIComponent(wrong)))).status).toBe(400);
});

test('an address or a name that an account has does not open it', async () => {
  const emil = await signUp(parley.url, 'emil');
  const login = await logIn('emil');
  expect(login.status).toBe(200);
  expect(idOf(login)).not.toBe(emil.id);
  expect((login.body.user as { username: string }).username).toMatch(/^emil-/);
});

test('GitHub users are identified by their number, also after a rename', async () => {
  github.be({ id: 77, login: 'octo', name: 'Octo Cat', email: 'octo@example.org' });
  const first = await logIn('', 'hub');
  expect(first).toMatchObject({
    status: 200,
    body: { user: { username: 'octo', displayName: 'Octo Cat', email: 'octo@example.org', emailVerified: true } },
  });
  github.be({ id: 77, login: 'renamed', email: 'new@example.org' });
  expect(idOf(await logIn('', 'hub'))).toBe(idOf(first));
  github.be({ id: 78, login: 'octo' });
  const other = await logIn('', 'hub');
  expect(idOf(other)).not.toBe(idOf(first));
  expect(other.body.user).toMatchObject({ email: null });
});

/** The address that a browser is redirected to, and its parameters. */
const back = async (browser: Browser, url: string) => {
  const answer = await browser.go('GET', url);
  return { status: answer.status, location: answer.headers.get('location') };
};
const returned = (error: string, page = `${parley.url}/`) => ({ status: 302, location: `${page}#error=${error}` });
const callback = (query: string, provider = 'acme') => `${parley.url}/v1/auth/oauth/${provider}/callback${query}`;

test('a callback without a login redirects to the page with an error and shows no JSON', async () => {
  const browser = new Browser();
  await browser.go('GET', `${parley.url}/v1/auth/oauth/acme`);
  for (const query of [
    '?code=x&state=forged',
    '?code=x',
    '?state=forged',
    '',
    '?state=a&state=b&code=x',
    '?colour=red',
  ])
    expect([query, await back(browser, callback(query))]).toEqual([query, returned('expired')]);
  expect(await back(new Browser(), callback(`?code=${'x'.repeat(9000)}&state=y`))).toEqual(returned('expired'));
  for (const [query, error] of [
    ['?error=access_denied', 'access_denied'],
    ['?error=access_denied&state=x', 'access_denied'],
    ['?error=server_error&error_description=a+b', 'server_error'],
    ['?error=%3Cscript%3E', 'failed'],
    ['?error=', 'failed'],
    ['?error=a&error=b', 'failed'],
  ] as const)
    expect([query, await back(new Browser(), callback(query))]).toEqual([query, returned(error)]);
  expect((await new Browser().go('GET', `${parley.url}/v1/auth/oauth/nobody`)).status).toBe(404);
  expect((await new Browser().go('GET', callback('?code=x', 'nobody'))).status).toBe(404);
});

test('a login that returns without its cookies redirects to its page and opens no session', async () => {
  github.be({ id: 81, login: 'cookieless' });
  const browser = new Browser();
  const page = `${allowedPage}/chat`;
  const start = await browser.go('GET', `${parley.url}/v1/auth/oauth/hub?returnTo=${encodeURIComponent(page)}`);
  const at = (await browser.go('GET', start.headers.get('location')!)).headers.get('location')!;
  expect(await back(new Browser(), at)).toEqual(returned('expired', page));
  // The state is used up, also for the browser that began.
  expect(await back(browser, at)).toEqual(returned('expired'));
});

test('several tabs log in at the same time and return in any order', async () => {
  const browser = new Browser();
  const pages = ['one', 'two', 'three', 'four'].map((tab) => `${allowedPage}/${tab}`);
  const ways: { provider: string; page: string; at: string }[] = [];
  for (const [index, page] of pages.entries()) {
    github.be({ id: 300 + index, login: `tab-${index}` });
    const start = await browser.go('GET', `${parley.url}/v1/auth/oauth/hub?returnTo=${encodeURIComponent(page)}`);
    const at = (await browser.go('GET', start.headers.get('location')!)).headers.get('location')!;
    ways.push({ provider: 'hub', page, at });
  }
  const order = [2, 0, 3, 1];
  for (const index of order) {
    const { page, at } = ways[index]!;
    const { location } = await back(browser, at);
    expect(location).toMatch(new RegExp(`^${page}#code=`));
    const login = await exchange(fragment(new URL(location!), 'code'));
    expect(login).toMatchObject({ status: 200, body: { user: { username: `tab-${index}` } } });
  }
});

test('a tab that links and a tab that logs in do not interfere', async () => {
  const user = await signUp(parley.url);
  const browser = new Browser();
  const { url } = await mustCall(user, 'POST', '/v1/users/me/identities', { provider: 'hub' });
  github.be({ id: 310, login: 'apart' });
  const [linking, login] = await Promise.all([
    browser.go('GET', url as string),
    browser.go('GET', `${parley.url}/v1/auth/oauth/hub`),
  ]);
  const answers: (string | null)[] = [];
  for (const start of [login, linking]) {
    const at = (await browser.go('GET', start.headers.get('location')!)).headers.get('location')!;
    answers.push((await back(browser, at)).location);
  }
  expect(answers).toEqual([expect.stringMatching(/#code=/), expect.stringMatching(/#link=/)]);
});

test('a browser has a limited number of unfinished logins, and the oldest is dropped', async () => {
  github.be({ id: 311, login: 'many' });
  const browser = new Browser();
  const ways: string[] = [];
  for (let begun = 0; begun < 8; begun++) {
    const start = await browser.go('GET', `${parley.url}/v1/auth/oauth/hub`);
    ways.push((await browser.go('GET', start.headers.get('location')!)).headers.get('location')!);
  }
  const kept = [...browser.jar.get(new URL(parley.url).host)!.keys()].filter((name) => name.startsWith('parley-flow-'));
  expect(kept).toHaveLength(6);
  const outcomes = [];
  for (const at of ways) outcomes.push(/#(code|error)=/.exec((await back(browser, at)).location!)![1]);
  expect(outcomes).toEqual(['error', 'error', ...Array(6).fill('code')]);
  expect([...browser.jar.get(new URL(parley.url).host)!.keys()].filter((name) => /flow/.test(name))).toEqual([]);
});

test('a state works once, in one browser and with one provider, and a code only with its verifier', async () => {
  github.be({ id: 79, login: 'stateful' });
  const browser = new Browser();
  const start = await browser.go('GET', `${parley.url}/v1/auth/oauth/hub`);
  const at = (await browser.go('GET', start.headers.get('location')!)).headers.get('location')!;
  expect((await back(browser, at)).location).toContain('#code=');
  expect(await back(browser, at)).toEqual(returned('expired'));
  // Another browser with this answer, and this browser with it at another provider.
  for (const misuse of [
    async (own: Browser, url: string) => {
      const other = new Browser();
      await other.go('GET', `${parley.url}/v1/auth/oauth/hub`);
      expect(own.jar.size).toBeGreaterThan(0);
      return back(other, url);
    },
    async (own: Browser, url: string) => back(own, url.replace('/hub/', '/acme/')),
  ]) {
    const next = new Browser();
    const way = await next.go('GET', `${parley.url}/v1/auth/oauth/hub`);
    expect(await misuse(next, (await next.go('GET', way.headers.get('location')!)).headers.get('location')!)).toEqual(
      returned('expired'),
    );
  }
  // A stolen code, used in a login of the thief.
  const victim = new Browser();
  const stolen = new URL(
    (
      await victim.go('GET', (await victim.go('GET', `${parley.url}/v1/auth/oauth/hub`)).headers.get('location')!)
    ).headers.get('location')!,
  );
  const thief = new Browser();
  const own = new URL((await thief.go('GET', `${parley.url}/v1/auth/oauth/hub`)).headers.get('location')!);
  stolen.searchParams.set('state', own.searchParams.get('state')!);
  expect(await back(thief, stolen.href)).toEqual(returned('failed'));
});

test('an answer with another issuer’s name is refused', async () => {
  const browser = new Browser();
  const start = await browser.go('GET', `${parley.url}/v1/auth/oauth/acme`);
  const state = new URL(start.headers.get('location')!).searchParams.get('state')!;
  const query = new URLSearchParams({ state, code: 'x', iss: 'https://evil.example' });
  expect(await back(browser, callback(`?${query}`))).toEqual(returned('failed'));
});

test('the redirect to the provider contains PKCE, a state and a nonce', async () => {
  const start = await new Browser().go('GET', `${parley.url}/v1/auth/oauth/acme`);
  const query = new URL(start.headers.get('location')!).searchParams;
  expect(query.get('code_challenge_method')).toBe('S256');
  for (const name of ['code_challenge', 'state', 'nonce']) expect(query.get(name)!.length).toBeGreaterThanOrEqual(20);
});

test('email_verified may be a text', async () => {
  for (const [name, emailVerified] of [
    ['said-true', true],
    ['said-false', false],
    ['said-yes', false],
  ] as const)
    expect(await logIn(name)).toMatchObject({
      status: 200,
      body: { user: { email: `${name}@example.org`, emailVerified } },
    });
});

test('a login returns only to allowed addresses', async () => {
  const start = (returnTo: string) =>
    new Browser().go('GET', `${parley.url}/v1/auth/oauth/acme?returnTo=${encodeURIComponent(returnTo)}`);
  const refused = [
    'https://evil.example/',
    `${allowedPage}.evil.example/`,
    'javascript:alert(1)',
    '//evil.example',
    '',
  ];
  for (const each of refused) expect(`${each} ${(await start(each)).status}`).toBe(`${each} 400`);
  const place = `${allowedPage}/chat?tab=1`;
  const reached = await new Browser().logIn(
    `${parley.url}/v1/auth/oauth/acme?returnTo=${encodeURIComponent(place)}`,
    'fritz',
  );
  expect(reached.href.startsWith(`${place}#code=`)).toBe(true);
});

test('a refusal by the provider redirects to the page with an error in the fragment', async () => {
  const browser = new Browser();
  const page = `${allowedPage}/chat`;
  const start = await browser.go('GET', `${parley.url}/v1/auth/oauth/acme?returnTo=${encodeURIComponent(page)}`);
  const state = new URL(start.headers.get('location')!).searchParams.get('state')!;
  const refusal = callback(`?error=access_denied&state=${state}`);
  expect(await back(browser, refusal)).toEqual(returned('access_denied', page));
});

test('the login providers are listed', async () => {
  expect((await callApi(parley.url, 'GET', '/v1/auth/providers')).body.items).toMatchObject([
    { name: 'acme', kind: 'oidc', label: 'acme', url: '/v1/auth/oauth/acme' },
    { name: 'hub', kind: 'github', label: 'The Hub', url: '/v1/auth/oauth/hub' },
    { name: 'gone' },
  ]);
});

const breaker = async (provider: string) => {
  const { text } = (await callApi(parley.url, 'GET', '/metrics')).body;
  return new RegExp(`^parley_provider_breaker_open\\{provider="${provider}"\\} (\\d)`, 'm').exec(text as string)?.[1];
};

test('an unreachable provider is reported in time, then at once, and other providers are not affected', async () => {
  github.be({ id: 80, login: 'patient' });
  const browser = new Browser();
  const start = await browser.go('GET', `${parley.url}/v1/auth/oauth/hub`);
  const at = (await browser.go('GET', start.headers.get('location')!)).headers.get('location')!;
  github.behave('silent');
  expect(await back(browser, at)).toEqual(returned('unavailable'));
  const gone = (headers = {}) => callApi(parley.url, 'GET', '/v1/auth/oauth/gone', undefined, headers);
  for (let attempt = 0; attempt < 3; attempt++)
    expect((await gone()).body).toMatchObject({ status: 503, detail: 'the login provider gone does not answer' });
  // A person who follows the link sees a page, not JSON.
  const shown = await gone({ accept: 'text/html,application/xhtml+xml' });
  expect([shown.status, shown.headers.get('location')]).toEqual([302, `${parley.url}/#error=unavailable`]);
  expect(await breaker('gone')).toBe('1');
  expect((await logIn('gerda')).status).toBe(200);
  github.behave('failing');
  for (let attempt = 0; attempt < 2; attempt++) {
    const next = new Browser();
    const way = await next.go('GET', `${parley.url}/v1/auth/oauth/hub`);
    const state = new URL(way.headers.get('location')!).searchParams.get('state')!;
    expect(await back(next, callback(`?code=x&state=${state}`, 'hub'))).toEqual(returned('unavailable'));
  }
  expect(await breaker('hub')).toBe('1');
  github.behave('well');
  await expect.poll(() => breaker('hub')).toBe('0');
  expect((await logIn('', 'hub')).status).toBe(200);
});

// ── Linking ──

async function link(user: TestUser, name: string, provider: string, browser = new Browser()): Promise<URL> {
  const { url } = await mustCall(user, 'POST', '/v1/users/me/identities', { provider });
  return browser.logIn(url as string, name);
}
const finish = (user: TestUser, code: string) => user.call('POST', '/v1/users/me/identities/link', { code });

test('an account can link several providers and log in with any of them', async () => {
  const user = await signUp(parley.url);
  github.be({ id: 90, login: 'linked', name: 'Linked' });
  expect(await finish(user, fragment(await link(user, '', 'hub'), 'link'))).toMatchObject({
    status: 200,
    body: { provider: 'hub', name: 'Linked' },
  });
  expect((await finish(user, fragment(await link(user, 'helga', 'acme'), 'link'))).status).toBe(200);
  const { items } = await mustCall(user, 'GET', '/v1/users/me/identities');
  expect(items!.map(({ provider }) => provider)).toEqual(['hub', 'acme']);
  expect(idOf(await logIn('helga'))).toBe(user.id);
  github.be({ id: 90, login: 'linked' });
  expect(idOf(await logIn('', 'hub'))).toBe(user.id);
});

test('a link code works once, for a minute, in the session that requested it', async () => {
  const [user, other] = [await signUp(parley.url), await signUp(parley.url)];
  const code = fragment(await link(user, 'ida', 'acme'), 'link');
  expect((await finish(other, code)).status).toBe(401);
  expect((await finish(user, code)).status).toBe(401);
  const fresh = fragment(await link(user, 'ida', 'acme'), 'link');
  const answers = await Promise.all([finish(user, fresh), finish(user, fresh)]);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 401]);
  // Another session of the same account did not request it.
  const second = await callApi(parley.url, 'POST', '/v1/auth/login', { login: user.username, password: user.password });
  const bound = fragment(await link(user, 'ina', 'acme'), 'link');
  const headers = { authorization: `Bearer ${second.body.accessToken}` };
  expect((await callApi(parley.url, 'POST', '/v1/users/me/identities/link', { code: bound }, headers)).status).toBe(
    401,
  );
  // It cannot open a session either.
  expect((await exchange(fragment(await link(user, 'ina', 'acme'), 'link'))).status).toBe(401);
});

test('a start token works once, at its provider', async () => {
  const user = await signUp(parley.url);
  const { url } = await mustCall(user, 'POST', '/v1/users/me/identities', { provider: 'acme' });
  await new Browser().logIn(url as string, 'jana');
  expect((await new Browser().logIn(url as string, 'jana')).hash).toBe('#error=failed');
  const second = (await mustCall(user, 'POST', '/v1/users/me/identities', { provider: 'acme' })).url as string;
  expect((await new Browser().logIn(second.replace('/acme', '/hub'), '')).hash).toBe('#error=failed');
});

test('linking and unlinking need a recent login, and the owner is notified', async () => {
  const user = await signUp(parley.url);
  const sql = postgres(parley.database.url, { max: 1 });
  const age = () => sql`update sessions set authenticated_at = now() - interval '6 minutes' where user_id = ${user.id}`;
  const proof = { token: tokenIn(await mailTo(parley.url, user.email, /Confirm your e-mail/)) };
  expect((await callApi(parley.url, 'POST', '/v1/auth/verify-email', proof)).status).toBe(204);
  const begin = () => user.call('POST', '/v1/users/me/identities', { provider: 'acme' });
  const stepUp = () => mustCall(user, 'POST', '/v1/auth/step-up', { password: user.password });
  const asked = { status: 403, body: { code: 'step_up_required', methods: ['password'] } };
  await age();
  expect(await begin()).toMatchObject(asked);
  await stepUp();
  const { url } = (await begin()).body as { url: string };
  const code = fragment(await new Browser().logIn(url, 'paula'), 'link');
  // Only the start needs a recent login, not the return from the provider.
  await age();
  const { id } = (await finish(user, code)).body as { id: string };
  await mailTo(parley.url, user.email, /way to log in was added/);
  const unlink = () => user.call('DELETE', `/v1/users/me/identities/${id}`);
  expect(await unlink()).toMatchObject(asked);
  expect((await mustCall(user, 'GET', '/v1/users/me/identities')).items).toHaveLength(1);
  await stepUp();
  expect((await unlink()).status).toBe(204);
  await mailTo(parley.url, user.email, /way to log in was taken/);
  await sql.end();
});

test('another account’s identity cannot be linked, and one’s own may be linked again', async () => {
  await logIn('karl');
  const user = await signUp(parley.url);
  expect((await finish(user, fragment(await link(user, 'karl', 'acme'), 'link'))).status).toBe(409);
  expect((await finish(user, fragment(await link(user, 'lena', 'acme'), 'link'))).status).toBe(200);
  expect((await finish(user, fragment(await link(user, 'lena', 'acme'), 'link'))).status).toBe(200);
  expect((await mustCall(user, 'GET', '/v1/users/me/identities')).items).toHaveLength(1);
});

test('the last login method stays, also if two are removed concurrently', async () => {
  const login = await logIn('mona');
  const user = { ...(await signUp(parley.url)), id: idOf(login) };
  const headers = { authorization: `Bearer ${login.body.accessToken}` };
  const call: TestUser['call'] = (method, path, body) => callApi(parley.url, method, path, body, headers);
  const mona: TestUser = { ...user, call };
  const list = async () => (await mustCall(mona, 'GET', '/v1/users/me/identities')).items!;
  const [only] = await list();
  expect((await call('DELETE', `/v1/users/me/identities/${only!.id}`)).status).toBe(409);
  github.be({ id: 91, login: 'mona' });
  await finish(mona, fragment(await link(mona, '', 'hub'), 'link'));
  const two = await list();
  const removals = await Promise.all(two.map(({ id }) => call('DELETE', `/v1/users/me/identities/${id}`)));
  expect(removals.map(({ status }) => status).sort()).toEqual([204, 409]);
  expect(await list()).toHaveLength(1);
});

test('identities of others are not found, and linking needs a session', async () => {
  const [user, other] = [await signUp(parley.url), await signUp(parley.url)];
  await finish(user, fragment(await link(user, 'nora', 'acme'), 'link'));
  const [own] = (await mustCall(user, 'GET', '/v1/users/me/identities')).items!;
  expect((await other.call('DELETE', `/v1/users/me/identities/${own!.id}`)).status).toBe(404);
  expect((await callApi(parley.url, 'POST', '/v1/users/me/identities', { provider: 'acme' })).status).toBe(401);
  const evil = { provider: 'acme', returnTo: 'https://evil.example/' };
  expect((await user.call('POST', '/v1/users/me/identities', evil)).status).toBe(400);
  expect((await user.call('DELETE', `/v1/users/me/identities/${own!.id}`)).status).toBe(204);
  const again = await logIn('nora');
  expect(idOf(again)).not.toBe(user.id);
});

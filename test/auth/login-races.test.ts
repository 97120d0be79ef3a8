/** A login that is being opened while its proof is withdrawn: in either order no old session is left. */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { beforeAll, expect, test } from 'vitest';
import { codeAt, stepAt } from '../../src/auth/mfa/totp.ts';
import { holdUser } from '../harness/held-row.ts';
import { mailsTo, mailTo, tokenIn } from '../harness/mailbox.ts';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { type Answer, callApi, mustCall, signUp, type TestUser } from '../harness/test-client.ts';
import { fromBase32, turnOnApp } from './authenticator-app.ts';
import { Browser } from './oidc-issuer.ts';

let parley: SharedParley;
let admin: TestUser;

beforeAll(async () => {
  parley = await useSharedParley();
  admin = await signUp(parley.url);
  const sql = postgres(parley.database.url, { max: 1, onnotice: () => {} });
  await sql`update users set role = 'admin' where id = ${admin.id}`;
  await sql.end();
  admin.accessToken = (await logIn(admin)).body.accessToken as string;
});

const api = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  callApi(parley.url, method, path, body, headers);
const logIn = ({ username, password }: TestUser) => api('POST', '/v1/auth/login', { login: username, password });
const refresh = ({ body }: Answer) => api('POST', '/v1/auth/refresh', { refreshToken: body.refreshToken });
const bearer = ({ body }: Answer) => ({ authorization: `Bearer ${String(body.accessToken)}` });
const fragment = (url: URL, name: string) => new URLSearchParams(url.hash.slice(1)).get(name)!;
const next = 'the next password';

/** A new account without a pending mail job, which would lock the row, too. */
async function settle(): Promise<TestUser> {
  const user = await signUp(parley.url);
  await mailTo(parley.url, user.email, /Confirm/);
  return user;
}

/** Makes both lock the account in this order, after they have passed all earlier checks. */
async function inOrder<First, Second>(
  user: TestUser,
  first: () => Promise<First>,
  second: () => Promise<Second>,
): Promise<[First, Second]> {
  const row = await holdUser(parley.database, user.id);
  const one = first();
  await row.waiting(1);
  const two = second();
  await row.waiting(2);
  await row.release();
  return Promise.all([one, two]);
}

const changePassword = (user: TestUser) => () =>
  user.call('PUT', '/v1/users/me/password', { currentPassword: user.password, newPassword: next });

/** @returns a reset whose link was mailed */
async function resetOf({ email }: TestUser): Promise<() => Promise<Answer>> {
  await api('POST', '/v1/auth/password/forgot', { email });
  const token = tokenIn(await mailTo(parley.url, email, /new password/));
  return () => api('POST', '/v1/auth/password/reset', { token, password: next });
}

test('a login by the old password fails once the password was changed, however far it was', async () => {
  const ana = await settle();
  const [changed, login] = await inOrder(ana, changePassword(ana), () => logIn(ana));
  expect(changed.status).toBe(204);
  expect(login).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  expect((await ana.call('GET', '/v1/users/me/sessions')).body.items).toHaveLength(1);
});

test('a session that was opened before a password change ends with it', async () => {
  const ana = await settle();
  const [login, changed] = await inOrder(ana, () => logIn(ana), changePassword(ana));
  expect([login.status, changed.status]).toEqual([200, 204]);
  expect((await api('GET', '/v1/users/me', undefined, bearer(login))).status).toBe(401);
  expect((await refresh(login)).status).toBe(401);
});

test('a login by password fails after a concurrent reset, and its device is not trusted', async () => {
  const ana = await settle();
  const reset = await resetOf(ana);
  const [done, login] = await inOrder(ana, reset, () => logIn(ana));
  expect(done.status).toBe(204);
  expect(login.status).toBe(401);
  const sql = postgres(parley.database.url, { max: 1, onnotice: () => {} });
  expect(await sql`select 1 from known_devices where user_id = ${ana.id}`).toEqual([]);
  await sql.end();
});

test('a second step fails after a concurrent reset', async () => {
  const ana = await settle();
  const token = tokenIn(await mailTo(parley.url, ana.email, /Confirm/));
  await mustCall(ana, 'POST', '/v1/auth/verify-email', { token });
  const { app } = await turnOnApp(ana);
  await mailTo(parley.url, ana.email, /second step was added/);
  const { challenge } = (await logIn(ana)).body;
  const reset = await resetOf(ana);
  const [done, login] = await inOrder(ana, reset, () =>
    api('POST', '/v1/auth/second-factor', { challenge, code: app() }),
  );
  expect(done.status).toBe(204);
  expect(login.status).toBe(401);
});

test('no challenge is issued after a concurrent reset', async () => {
  const ana = await settle();
  const token = tokenIn(await mailTo(parley.url, ana.email, /Confirm/));
  await mustCall(ana, 'POST', '/v1/auth/verify-email', { token });
  await turnOnApp(ana);
  await mailTo(parley.url, ana.email, /second step was added/);
  const reset = await resetOf(ana);
  const [, login] = await inOrder(ana, reset, () => logIn(ana));
  expect(login).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  expect(login.body.challenge).toBeUndefined();
});

test('a login through a provider fails after a concurrent reset that unlinks it', async () => {
  const ana = await settle();
  const name = `n${randomBytes(5).toString('hex')}`;
  const { url } = await mustCall(ana, 'POST', '/v1/users/me/identities', { provider: 'acme' });
  const link = fragment(await new Browser().logIn(String(url), name), 'link');
  await mustCall(ana, 'POST', '/v1/users/me/identities/link', { code: link });
  const code = fragment(await new Browser().logIn(`${parley.url}/v1/auth/oauth/acme`, name), 'code');
  const reset = await resetOf(ana);
  const [done, login] = await inOrder(ana, reset, () => api('POST', '/v1/auth/oauth/token', { code }));
  expect(done.status).toBe(204);
  expect(login.status).toBe(401);
});

test('a session that ends during a link, a new factor or a change of address leaves nothing behind', async () => {
  const ana = await settle();
  const name = `n${randomBytes(5).toString('hex')}`;
  const { url } = await mustCall(ana, 'POST', '/v1/users/me/identities', { provider: 'acme' });
  const link = fragment(await new Browser().logIn(String(url), name), 'link');
  const { secret } = await mustCall(ana, 'POST', '/v1/users/me/second-factors/totp');
  const code = codeAt(fromBase32(String(secret)), stepAt(Date.now() / 1000));
  const elsewhere = `${name}@example.org`;
  const reset = await resetOf(ana);

  const row = await holdUser(parley.database, ana.id);
  const done = reset();
  await row.waiting(1);
  const late = [
    ana.call('POST', '/v1/users/me/identities/link', { code: link }),
    ana.call('POST', '/v1/users/me/second-factors/totp/confirm', { code }),
    ana.call('POST', '/v1/users/me/email', { email: elsewhere, password: ana.password }),
  ];
  await row.waiting(1 + late.length);
  await row.release();
  expect((await done).status).toBe(204);
  for (const answer of await Promise.all(late)) expect(answer).toMatchObject({ status: 401 });

  const login = await api('POST', '/v1/auth/login', { login: ana.username, password: next });
  expect(login.status).toBe(200);
  expect((await api('GET', '/v1/users/me/identities', undefined, bearer(login))).body.items).toEqual([]);
  const marker = await settle();
  await mailTo(parley.url, marker.email, /Confirm/);
  expect(await mailsTo(parley.url, elsewhere)).toEqual([]);
});

test('a session that ends while it sets a first password or creates an API key leaves neither behind', async () => {
  const name = `n${randomBytes(5).toString('hex')}`;
  const enter = async () =>
    api('POST', '/v1/auth/oauth/token', {
      code: fragment(await new Browser().logIn(`${parley.url}/v1/auth/oauth/acme`, name), 'code'),
    });
  const first = await enter();
  const { id, username } = first.body.user as { id: string; username: string };
  const sql = postgres(parley.database.url, { max: 1, onnotice: () => {} });
  await sql`update users set role = 'admin' where id = ${id}`;
  const [staff, other] = [await enter(), await enter()];

  const row = await holdUser(parley.database, id);
  const ended = api('DELETE', '/v1/users/me/sessions?keep=current', undefined, bearer(other));
  await row.waiting(1);
  const late = [
    api('PUT', '/v1/users/me/password', { newPassword: next }, bearer(staff)),
    api('POST', '/v1/api-keys', { name, scopes: ['users:read'] }, bearer(staff)),
  ];
  await row.waiting(1 + late.length);
  await row.release();
  expect((await ended).status).toBe(204);
  for (const answer of await Promise.all(late)) expect(answer).toMatchObject({ status: 401 });
  expect((await api('POST', '/v1/auth/login', { login: username, password: next })).status).toBe(401);
  expect(await sql`select 1 from api_keys where name = ${name}`).toEqual([]);
  await sql.end();
});

test('a login fails after a concurrent ban, and an earlier one ends for good', async () => {
  const [ana, ben] = [await settle(), await settle()];
  const ban = (user: TestUser) => () => admin.call('PUT', `/v1/moderation/bans/${user.id}`, { seconds: 3600 });
  const [, late] = await inOrder(ana, ban(ana), () => logIn(ana));
  expect(late).toMatchObject({ status: 403, body: { code: 'banned' } });

  const [early] = await inOrder(ben, () => logIn(ben), ban(ben));
  expect(early.status).toBe(200);
  expect((await admin.call('DELETE', `/v1/moderation/bans/${ben.id}`)).status).toBe(204);
  expect((await refresh(early)).status).toBe(401);
  expect((await logIn(ben)).status).toBe(200);
});

test('a key cannot open a session for a user who becomes staff at the same time', async () => {
  const ana = await settle();
  const { key } = await mustCall(admin, 'POST', '/v1/api-keys', { name: 'x', scopes: ['sessions:write'] });
  const sql = postgres(parley.database.url, { max: 1, onnotice: () => {} });
  const [, opened] = await inOrder(
    ana,
    () => sql`update users set role = 'admin' where id = ${ana.id}`.execute(),
    () => api('POST', `/v1/users/${ana.id}/sessions`, undefined, { authorization: `Bearer ${String(key)}` }),
  );
  expect(opened).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  await sql.end();
});

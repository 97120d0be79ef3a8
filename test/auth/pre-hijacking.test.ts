/** An attacker signs up with another person's address, prepares access, and waits for the owner of the address. */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mailTo, tokenIn } from '../harness/mailbox.ts';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { callApi, connect, mustCall, signUp, type TestUser } from '../harness/test-client.ts';
import { turnOnApp } from './authenticator-app.ts';
import { Browser } from './oidc-issuer.ts';

let parley: SharedParley;
let sql: postgres.Sql;

beforeAll(async () => {
  parley = await useSharedParley();
  sql = postgres(parley.database.url, { max: 1, onnotice: () => {} });
});
afterAll(() => sql.end());

const api = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  callApi(parley.url, method, path, body, headers);
const some = () => `n${randomBytes(5).toString('hex')}`;
const fragment = (url: URL, name: string) => new URLSearchParams(url.hash.slice(1)).get(name)!;
const ownPassword = 'chosen by the owner of the address';

async function link(user: TestUser, name: string): Promise<void> {
  const { url } = await mustCall(user, 'POST', '/v1/users/me/identities', { provider: 'acme' });
  const code = fragment(await new Browser().logIn(String(url), name), 'link');
  await mustCall(user, 'POST', '/v1/users/me/identities/link', { code });
}

/** @returns the code of a login through the provider */
const atProvider = async (name: string) =>
  fragment(await new Browser().logIn(`${parley.url}/v1/auth/oauth/acme`, name), 'code');
const enter = (code: string) => api('POST', '/v1/auth/oauth/token', { code });
const logIn = (user: TestUser, password: string) => api('POST', '/v1/auth/login', { login: user.username, password });

async function confirm(user: TestUser, where: 'in the login' | 'outside'): Promise<void> {
  const token = tokenIn(await mailTo(parley.url, user.email, /Confirm your e-mail/));
  const call = where === 'outside' ? api : user.call;
  expect((await call('POST', '/v1/auth/verify-email', { token })).status).toBe(204);
}

async function reset({ email }: TestUser): Promise<void> {
  await api('POST', '/v1/auth/password/forgot', { email });
  const token = tokenIn(await mailTo(parley.url, email, /new password/));
  expect((await api('POST', '/v1/auth/password/reset', { token, password: ownPassword })).status).toBe(204);
}

test('the first reset of a verified owner removes all prepared access', async () => {
  const thief = await signUp(parley.url);
  const known = some();
  await link(thief, known);
  const { app } = await turnOnApp(thief);
  const started = (await logIn(thief, thief.password)).body;
  await sql`update users set role = 'admin' where id = ${thief.id}`;
  const second = await api('POST', '/v1/auth/second-factor', { challenge: started.challenge, code: app() });
  const admin = { authorization: `Bearer ${String(second.body.accessToken)}` };
  const { key } = (await api('POST', '/v1/api-keys', { name: 'x', scopes: ['users:read'] }, admin)).body;
  const elsewhere = `${some()}@example.org`;
  await mustCall(thief, 'POST', '/v1/users/me/email', { email: elsewhere });
  const change = tokenIn(await mailTo(parley.url, elsewhere, /new e-mail address/));
  const code = await atProvider(known);
  const socket = await connect(parley.url, thief);

  await reset(thief);
  expect((await socket.closed).code).toBe(4003);
  const owner = await logIn(thief, ownPassword);
  expect(owner).toMatchObject({ status: 200, body: { user: { id: thief.id, emailVerified: true } } });
  const mail = await mailTo(parley.url, thief.email, /password was changed/);
  expect(mail.text).toMatch(/linked accounts, second steps .* API keys/);

  expect((await enter(code)).status).toBe(401);
  const again = await enter(await atProvider(known));
  expect(again.status).toBe(200);
  expect((again.body.user as { id: string }).id).not.toBe(thief.id);
  expect((await api('GET', '/v1/users?query=x', undefined, { authorization: `Bearer ${String(key)}` })).status).toBe(
    401,
  );
  expect((await api('POST', '/v1/auth/verify-email', { token: change })).status).toBe(400);
  expect((await api('POST', '/v1/auth/refresh', { refreshToken: thief.refreshToken })).status).toBe(401);
  const mine = { authorization: `Bearer ${String(owner.body.accessToken)}` };
  expect((await api('GET', '/v1/users/me/second-factors', undefined, mine)).body).toMatchObject({
    items: [],
    recoveryCodesLeft: 0,
  });
  expect((await api('GET', '/v1/users/me/identities', undefined, mine)).body.items).toEqual([]);
});

test('following the mailed link alone does not approve the prepared access', async () => {
  const thief = await signUp(parley.url);
  const known = some();
  await turnOnApp(thief);
  await confirm(thief, 'outside');
  await link(thief, known);
  await reset(thief);
  expect((await logIn(thief, ownPassword)).status).toBe(200);
  expect(((await enter(await atProvider(known))).body.user as { id: string }).id).not.toBe(thief.id);
});

test('a reset keeps second factors whose owner was notified', async () => {
  const ana = await signUp(parley.url);
  await confirm(ana, 'outside');
  await turnOnApp(ana);
  await reset(ana);
  const answer = await logIn(ana, ownPassword);
  expect(answer.body).toMatchObject({ code: 'second_factor_required', methods: ['totp', 'recovery_code'] });
});

test('an owner who verified the address in a session keeps linked accounts and second factors', async () => {
  const ana = await signUp(parley.url);
  const known = some();
  await link(ana, known);
  await turnOnApp(ana);
  await confirm(ana, 'in the login');
  await reset(ana);
  expect((await logIn(ana, ownPassword)).body).toMatchObject({ code: 'second_factor_required' });
  expect((await enter(await atProvider(known))).body).toMatchObject({ code: 'second_factor_required' });
  const mail = await mailTo(parley.url, ana.email, /password was changed/);
  expect(mail.text).not.toMatch(/linked accounts/);
});

test('a password change invalidates a pending change of address', async () => {
  const ana = await signUp(parley.url);
  await confirm(ana, 'in the login');
  const elsewhere = `${some()}@example.org`;
  await mustCall(ana, 'POST', '/v1/users/me/email', { email: elsewhere, password: ana.password });
  const token = tokenIn(await mailTo(parley.url, elsewhere, /new e-mail address/));
  await mustCall(ana, 'PUT', '/v1/users/me/password', { currentPassword: ana.password, newPassword: ownPassword });
  expect((await api('POST', '/v1/auth/verify-email', { token })).status).toBe(400);
  expect((await ana.call('GET', '/v1/users/me')).body).toMatchObject({ email: ana.email });
});

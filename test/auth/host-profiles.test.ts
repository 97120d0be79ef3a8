/** Which parts of an account a host application manages: those it created, without the owner's own changes. */
import { SignJWT } from 'jose';
import postgres from 'postgres';
import { beforeAll, expect, test } from 'vitest';
import { audience, macHost } from '../harness/host-applications.ts';
import { mailTo, tokenIn } from '../harness/mailbox.ts';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { callApi, mustCall, signUp } from '../harness/test-client.ts';
import { Browser } from './oidc-issuer.ts';

let parley: SharedParley;
let key: string;

beforeAll(async () => {
  parley = await useSharedParley();
  const admin = await signUp(parley.url);
  const sql = postgres(parley.database.url, { max: 1 });
  await sql`update users set role = 'admin' where id = ${admin.id}`;
  await sql.end();
  const login = await callApi(parley.url, 'POST', '/v1/auth/login', {
    login: admin.username,
    password: admin.password,
  });
  const made = { name: 'the application', scopes: ['sessions:write', 'users:write'] };
  const answer = await call('POST', '/v1/api-keys', login.body.accessToken, made);
  key = answer.body.key as string;
});

const call = (method: string, path: string, token: unknown, body?: unknown) =>
  callApi(parley.url, method, path, body, { authorization: `Bearer ${String(token)}` });
const me = async (token: unknown) => (await call('GET', '/v1/users/me', token)).body;
const audit = async (token: unknown) => (await call('GET', '/v1/moderation/audit', token)).status;
const fragment = (url: URL, name: string) => new URLSearchParams(url.hash.slice(1)).get(name)!;
let minute = 0;

/** Each token is newer than the one before, so its claims count. */
function sign(claims: Record<string, unknown>): Promise<string> {
  const now = Math.floor(Date.now() / 1000) - 3600 + 60 * minute++;
  return new SignJWT({ email_verified: true, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(parley.oidc.issuer)
    .setAudience(audience)
    .setIssuedAt(now)
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(macHost.secret));
}

test('a host token cannot change an account that came from a login provider with the same issuer', async () => {
  const back = await new Browser().logIn(`${parley.url}/v1/auth/oauth/acme`, 'gudrun');
  const { body } = await callApi(parley.url, 'POST', '/v1/auth/oauth/token', { code: fragment(back, 'code') });
  const before = await me(body.accessToken);
  expect(before).toMatchObject({ displayName: 'Name of gudrun', email: 'gudrun@example.org', emailVerified: true });
  const token = await sign({ sub: 'gudrun', name: 'Other', email: 'other@example.org', roles: ['admin'] });
  expect(await me(token)).toEqual(before);
  expect(await audit(token)).toBe(403);
  // The identity still logs in here and contains the name there.
  expect((await call('GET', '/v1/users/me/identities', token)).body.items).toMatchObject([
    { provider: 'acme', name: 'Other' },
  ]);
});

test('an account that was linked to the issuer keeps its address and role', async () => {
  const user = await signUp(parley.url);
  const proof = { token: tokenIn(await mailTo(parley.url, user.email, /Confirm/)) };
  await mustCall(user, 'POST', '/v1/auth/verify-email', proof);
  const { url } = await mustCall(user, 'POST', '/v1/users/me/identities', { provider: 'acme' });
  const code = fragment(await new Browser().logIn(url as string, 'hanna'), 'link');
  await mustCall(user, 'POST', '/v1/users/me/identities/link', { code });
  const before = await me(user.accessToken);
  const token = await sign({ sub: 'hanna', name: 'Other', email: 'hanna@example.org', roles: ['moderator'] });
  expect(await me(token)).toEqual(before);
  expect(await audit(token)).toBe(403);
});

test('an account that the application created follows its claims, also after an address of another account', async () => {
  const taken = await signUp(parley.url);
  const proof = { token: tokenIn(await mailTo(parley.url, taken.email, /Confirm/)) };
  await mustCall(taken, 'POST', '/v1/auth/verify-email', proof);
  const say = async (claims: object) => me(await sign({ sub: 'irma', name: 'Irma', ...claims }));
  expect(await say({ email: 'irma@one.example' })).toMatchObject({ email: 'irma@one.example', role: 'user' });
  expect(await say({ email: taken.email })).toMatchObject({ email: 'irma@one.example', emailVerified: true });
  expect(await say({ email: 'irma@two.example', roles: ['moderator'] })).toMatchObject({
    email: 'irma@two.example',
    role: 'moderator',
  });
  // A verified address stays verified.
  const unsure = await say({ email: 'irma@two.example', email_verified: false, roles: ['user'] });
  expect(unsure).toMatchObject({ email: 'irma@two.example', emailVerified: true, role: 'user' });
});

test('an account that another server created with an identity follows the application, too', async () => {
  const identity = { issuer: parley.oidc.issuer, subject: 'jonas' };
  const user = { identity, displayName: 'Jonas', email: 'jonas@one.example', emailVerified: true };
  expect((await call('POST', '/v1/users', key, user)).status).toBe(201);
  const token = await sign({ sub: 'jonas', name: 'Jonas', email: 'jonas@two.example' });
  expect(await me(token)).toMatchObject({ email: 'jonas@two.example', emailVerified: true });
});

test('changes by the owner in Parley’s own session are kept when later tokens arrive', async () => {
  const say = (claims: object) => sign({ sub: 'klara', name: 'Klara', email: 'klara@one.example', ...claims });
  const { id } = await me(await say({}));
  const open = async () => (await call('POST', `/v1/users/${String(id)}/sessions`, key)).body.accessToken;
  // Another address, verified by its mail.
  const address = 'klara@own.example';
  expect((await call('POST', '/v1/users/me/email', await open(), { email: address })).status).toBe(202);
  const proof = { token: tokenIn(await mailTo(parley.url, address, /Confirm/)) };
  expect((await callApi(parley.url, 'POST', '/v1/auth/verify-email', proof)).status).toBe(204);
  const second = await say({ name: 'Klara the second', email: 'klara@two.example', roles: ['admin'] });
  const kept = { email: address, emailVerified: true, role: 'user' };
  expect(await me(second)).toMatchObject({ displayName: 'Klara the second', ...kept });
  expect(await audit(second)).toBe(403);
});

test('with a password of its own, an account keeps its address and role', async () => {
  const say = (claims: object) => sign({ sub: 'lutz', name: 'Lutz', email: 'lutz@one.example', ...claims });
  const { id } = await me(await say({}));
  const open = async () => (await call('POST', `/v1/users/${String(id)}/sessions`, key)).body.accessToken;
  const change = { newPassword: 'quite a good one' };
  expect((await call('PUT', '/v1/users/me/password', await open(), change)).status).toBe(204);
  const later = new SignJWT({ name: 'Lutz again', email: 'lutz@two.example', email_verified: true, roles: ['admin'] })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(parley.oidc.issuer)
    .setAudience(audience)
    .setSubject('lutz')
    // A password change ends earlier tokens, which contain only seconds.
    .setIssuedAt(Math.floor(Date.now() / 1000) + 1)
    .setExpirationTime('1h');
  const token = await later.sign(new TextEncoder().encode(macHost.secret));
  expect(await me(token)).toMatchObject({ displayName: 'Lutz again', email: 'lutz@one.example', role: 'user' });
  expect(await audit(token)).toBe(403);
});

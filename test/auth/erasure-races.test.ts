/** A login, a link or a new login method that is being added during the erasure leaves nothing on the erased account. */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdUser } from '../harness/held-row.ts';
import { mailTo } from '../harness/mailbox.ts';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { callApi, mustCall, signUp, type TestUser } from '../harness/test-client.ts';
import { Browser } from './oidc-issuer.ts';

let parley: SharedParley;
let sql: postgres.Sql;

beforeAll(async () => {
  parley = await useSharedParley();
  sql = postgres(parley.database.url, { max: 2, onnotice: () => {} });
});
afterAll(() => sql.end());

const fragment = (url: URL, name: string) => new URLSearchParams(url.hash.slice(1)).get(name)!;
const proved = (name: string, path = '/v1/auth/oauth/acme') => new Browser().logIn(`${parley.url}${path}`, name);
const exchange = (code: string) => callApi(parley.url, 'POST', '/v1/auth/oauth/token', { code });

/** A new account without a pending mail job, which would lock the row, too. */
async function settle(): Promise<TestUser> {
  const user = await signUp(parley.url);
  await mailTo(parley.url, user.email, /Confirm/);
  return user;
}

/** Makes the erasure lock the user's row first and `late` second, after both have passed all earlier checks. */
async function eraseBefore<Result>(user: TestUser, late: () => Promise<Result>): Promise<Result> {
  const row = await holdUser(parley.database, user.id);
  const erasure = user.call('DELETE', '/v1/users/me', { password: user.password });
  await row.waiting(1);
  const second = late();
  await row.waiting(2);
  await row.release();
  expect((await erasure).status).toBe(200);
  return second;
}

/** The user's rows in the tables of logins. */
async function leftOf(userId: string): Promise<Record<string, number>> {
  const [row] = await sql`select
    (select count(*)::int from identities where user_id = ${userId}) as identities,
    (select count(*)::int from sessions where user_id = ${userId}) as sessions,
    (select count(*)::int from refresh_tokens where session_id not in (select id from sessions)) as refresh_tokens,
    (select count(*)::int from one_time_tokens where user_id = ${userId}) as one_time_tokens,
    (select count(*)::int from second_factors where user_id = ${userId}) as second_factors,
    (select count(*)::int from known_devices where user_id = ${userId}) as known_devices`;
  return row as unknown as Record<string, number>;
}
const nothing = {
  identities: 0,
  sessions: 0,
  refresh_tokens: 0,
  one_time_tokens: 0,
  second_factors: 0,
  known_devices: 0,
};

test('a provider cannot be linked to an account that is being erased', async () => {
  const user = await settle();
  const { url } = await mustCall(user, 'POST', '/v1/users/me/identities', { provider: 'acme' });
  const code = fragment(await new Browser().logIn(url as string, 'linker'), 'link');
  const answer = await eraseBefore(user, () => user.call('POST', '/v1/users/me/identities/link', { code }));
  expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  expect(await leftOf(user.id)).toEqual(nothing);
  // The identity belongs to no account, so it creates a new one.
  const login = await exchange(fragment(await proved('linker'), 'code'));
  expect(login.status).toBe(200);
  expect((login.body.user as { id: string }).id).not.toBe(user.id);
});

test('a login by password during an erasure opens no session', async () => {
  const user = await settle();
  const login = { login: user.username, password: user.password };
  const answer = await eraseBefore(user, () => callApi(parley.url, 'POST', '/v1/auth/login', login));
  expect(answer.status).toBe(401);
  expect(await leftOf(user.id)).toEqual(nothing);
});

test('a login through a provider during an erasure opens no session', async () => {
  const user = await settle();
  const { url } = await mustCall(user, 'POST', '/v1/users/me/identities', { provider: 'acme' });
  const link = fragment(await new Browser().logIn(url as string, 'returner'), 'link');
  await mustCall(user, 'POST', '/v1/users/me/identities/link', { code: link });
  const code = fragment(await proved('returner'), 'code');
  expect((await eraseBefore(user, () => exchange(code))).status).toBe(401);
  expect(await leftOf(user.id)).toEqual(nothing);
});

test('an erased account cannot get a password', async () => {
  const name = `w${randomBytes(4).toString('hex')}`;
  const { body } = await exchange(fragment(await proved(name), 'code'));
  const { id } = body.user as { id: string };
  const call = (method: string, path: string, sent?: object) =>
    callApi(parley.url, method, path, sent, { authorization: `Bearer ${String(body.accessToken)}` });
  const row = await holdUser(parley.database, id);
  const erasure = call('DELETE', '/v1/users/me');
  await row.waiting(1);
  const change = call('PUT', '/v1/users/me/password', { newPassword: 'quite a good one' });
  await row.waiting(2);
  await row.release();
  expect((await erasure).status).toBe(200);
  expect((await change).status).toBe(401);
  expect(await leftOf(id)).toEqual(nothing);
  const [left] = await sql`select password_hash from users where id = ${id}`;
  expect(left).toEqual({ password_hash: null });
});

test('a second factor cannot be begun during an erasure', async () => {
  const user = await settle();
  const answer = await eraseBefore(user, () => user.call('POST', '/v1/users/me/second-factors/totp'));
  expect(answer.status).toBe(401);
  expect(await leftOf(user.id)).toEqual(nothing);
});

test('a provider login that was running during the erasure does not create the account again', async () => {
  const user = await settle();
  const { url } = await mustCall(user, 'POST', '/v1/users/me/identities', { provider: 'acme' });
  const link = fragment(await new Browser().logIn(url as string, 'undone'), 'link');
  await mustCall(user, 'POST', '/v1/users/me/identities/link', { code: link });
  // The callback finds the account, and writes its code while that account is being erased.
  const outcome = async () => {
    const page = await proved('undone');
    return { code: fragment(page, 'code'), error: fragment(page, 'error') };
  };
  expect(await eraseBefore(user, outcome)).toEqual({ code: null, error: 'unauthenticated' });
  expect(await leftOf(user.id)).toEqual(nothing);
});

test('a host application’s token cannot change an account that is being erased', async () => {
  const name = `Host ${randomBytes(4).toString('hex')}`;
  const now = Math.floor(Date.now() / 1000);
  const call = (token: string, method: string) =>
    callApi(parley.url, method, '/v1/users/me', undefined, { authorization: `Bearer ${token}` });
  const first = await parley.host.sign({ sub: 'renewed', name: 'Before', iat: now - 5 });
  const { id } = (await call(first, 'GET')).body as { id: string };
  const newer = await parley.host.sign({ sub: 'renewed', name, email: 'renewed@example.org', iat: now - 4 });
  const row = await holdUser(parley.database, id);
  const erasure = call(first, 'DELETE');
  await row.waiting(1);
  const second = call(newer, 'GET');
  await row.waiting(2);
  await row.release();
  expect((await erasure).status).toBe(200);
  expect((await second).status).toBe(401);
  const [left] = await sql`select display_name, email from users where id = ${id}`;
  expect(left).toEqual({ display_name: 'Deleted user', email: null });
  expect(await leftOf(id)).toEqual(nothing);
});

test('rows that an older instance wrote during the erasure are deleted, and older tokens do not create the account again', async () => {
  const user = await settle();
  const room = (await mustCall(user, 'POST', '/v1/rooms', { name: 'Held', visibility: 'private' })).id as string;
  await mustCall(user, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'one', text: 'one' });
  const token = await parley.host.sign({ sub: 'beside', name: 'Beside', iat: Math.floor(Date.now() / 1000) - 5 });
  // Runs in the erasure's transaction after the cut, as if it had been committed a moment later.
  await sql`create function write_beside() returns trigger language plpgsql as $$ begin
    insert into identities (issuer, subject, user_id, profile) values (${sql.unsafe(`'${parley.host.issuer}'`)}, 'beside', new.user_id, '{}');
    insert into known_devices (hash, user_id) values ('\\x01', new.user_id);
    insert into sessions (id, user_id, expires_at) values (new.id, new.user_id, now());
    insert into refresh_tokens (hash, session_id) values ('\\x01', new.id);
    return new;
  end $$`.simple();
  await sql`create trigger write_beside after insert on erasures
    for each row when (new.user_id = ${sql.unsafe(`'${user.id}'`)}) execute function write_beside()`.simple();
  try {
    expect((await user.call('DELETE', '/v1/users/me', { password: user.password })).status).toBe(200);
    await expect.poll(() => leftOf(user.id)).toEqual(nothing);
  } finally {
    await sql`drop trigger write_beside on erasures`;
  }
  const answer = await callApi(parley.url, 'GET', '/v1/users/me', undefined, { authorization: `Bearer ${token}` });
  expect(answer.status).toBe(401);
});

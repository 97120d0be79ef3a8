import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mailsTo, mailTo, tokenIn } from '../harness/mailbox.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: Single;
let sql: postgres.Sql;

beforeAll(async () => {
  parley = await startSingle({
    PARLEY_LIMITS_LOGINS_PER_MINUTE: '100000',
    PARLEY_AUTH_STEP_UP_LIFETIME: '1m',
    PARLEY_ADMINS: 'Boss@example.org,operator@example.org,chief@example.org,owner@example.org',
  });
  sql = postgres(parley.database.url, { max: 1, onnotice: () => {} });
});
afterAll(async () => {
  await sql.end();
  await parley.end();
});

const api = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  callApi(parley.url, method, path, body, headers);
const logIn = (login: string, password: string) => api('POST', '/v1/auth/login', { login, password });
const some = () => `n${randomBytes(5).toString('hex')}`;
const bearer = (token: unknown) => ({ authorization: `Bearer ${String(token)}` });

async function verify(user: TestUser): Promise<void> {
  const token = tokenIn(await mailTo(parley.url, user.email, /Confirm your e-mail/));
  expect((await api('POST', '/v1/auth/verify-email', { token })).status).toBe(204);
}

/** Makes the session’s last proof too old for sensitive changes. */
const age = (user: TestUser) =>
  sql`update sessions set authenticated_at = now() - interval '2 minutes' where user_id = ${user.id}`;

test('a mailed link verifies an address, once', async () => {
  const ana = await signUp(parley.url);
  const token = tokenIn(await mailTo(parley.url, ana.email, /Confirm your e-mail/));
  expect((await api('POST', '/v1/auth/verify-email', { token })).status).toBe(204);
  expect((await ana.call('GET', '/v1/users/me')).body.emailVerified).toBe(true);
  expect((await api('POST', '/v1/auth/verify-email', { token })).body).toMatchObject({ code: 'invalid' });
});

test('verifying an address of `admins` in a session of the account makes it an admin', async () => {
  const boss = await signUp(parley.url, 'boss');
  const token = tokenIn(await mailTo(parley.url, boss.email, /Confirm your e-mail/));
  expect((await boss.call('GET', '/v1/users/me')).body.role).toBe('user');
  expect((await boss.call('POST', '/v1/auth/verify-email', { token })).status).toBe(204);
  expect((await boss.call('GET', '/v1/users/me')).body).toMatchObject({ role: 'admin', emailVerified: true });
  const renewed = await api('POST', '/v1/auth/refresh', { refreshToken: boss.refreshToken });
  expect((await api('GET', '/v1/api-keys', undefined, bearer(renewed.body.accessToken))).status).toBe(200);
});

test('verifying an address of `admins` without a login makes the account an admin', async () => {
  const owner = await signUp(parley.url, 'owner');
  const token = tokenIn(await mailTo(parley.url, owner.email, /Confirm your e-mail/));
  expect((await api('POST', '/v1/auth/verify-email', { token })).status).toBe(204);
  const login = await logIn(owner.username, owner.password);
  expect(login.body.user).toMatchObject({ role: 'admin', emailVerified: true });
  expect((await api('GET', '/v1/api-keys', undefined, bearer(login.body.accessToken))).status).toBe(200);
});

test('an account with an operator’s address becomes an admin only when the address is verified in its own session', async () => {
  const stranger = await signUp(parley.url, 'operator');
  const role = async () => (await logIn(stranger.username, stranger.password)).body.user;
  const other = await signUp(parley.url);
  const click = async (subject: RegExp, headers: Record<string, string> = {}) => {
    const token = tokenIn(await mailTo(parley.url, stranger.email, subject));
    // As Parley's page sends it.
    const addressOnly = headers.authorization === undefined && headers.cookie === undefined;
    return (await api('POST', '/v1/auth/verify-email', { token, ...(addressOnly ? { addressOnly } : {}) }, headers))
      .status;
  };
  expect(await click(/Confirm your e-mail/)).toBe(204);
  expect(await role()).toMatchObject({ emailVerified: true, role: 'user' });

  const logins = [bearer(other.accessToken), bearer('made up'), { cookie: 'parley-access=made-up' }];
  for (const [asked, login] of logins.entries()) {
    await mustCall(stranger, 'POST', '/v1/users/me/email/verification');
    const again = async () =>
      (await mailsTo(parley.url, stranger.email)).filter(({ subject }) => /belong together/.test(subject)).length;
    await expect.poll(again, { interval: 50 }).toBe(asked + 1);
    expect(await click(/belong together/, login)).toBe(204);
    expect(await role()).toMatchObject({ role: 'user' });
  }
  await mustCall(stranger, 'POST', '/v1/users/me/email/verification');
  await expect.poll(() => mailsTo(parley.url, stranger.email), { interval: 50 }).toHaveLength(2 + logins.length);
  expect(await click(/belong together/, bearer(stranger.accessToken))).toBe(204);
  expect(await role()).toMatchObject({ role: 'admin' });
  // Another verification would change nothing, so no more mail is sent.
  await mustCall(stranger, 'POST', '/v1/users/me/email/verification');
  const marker = await signUp(parley.url);
  await mailTo(parley.url, marker.email, /Confirm/);
  expect(await mailsTo(parley.url, stranger.email)).toHaveLength(2 + logins.length);
});

test('a change to an address of `admins` makes an admin only in the session that requested it', async () => {
  const email = 'chief@example.org';
  const ana = await signUp(parley.url);
  const ask = async () => {
    await mustCall(ana, 'POST', '/v1/users/me/email', { email, password: ana.password });
    return tokenIn(await mailTo(parley.url, email, /new e-mail address|Confirm/));
  };
  const click = { token: await ask(), addressOnly: true };
  expect((await api('POST', '/v1/auth/verify-email', click)).status).toBe(204);
  expect((await ana.call('GET', '/v1/users/me')).body).toMatchObject({ email, emailVerified: true, role: 'user' });
  await mustCall(ana, 'POST', '/v1/users/me/email/verification');
  const token = tokenIn(await mailTo(parley.url, email, /belong together/));
  await mustCall(ana, 'POST', '/v1/auth/verify-email', { token });
  expect((await ana.call('GET', '/v1/users/me')).body).toMatchObject({ role: 'admin' });
});

test('signing up with a taken address looks successful, notifies its owner, and only the owner logs in with it', async () => {
  const ana = await signUp(parley.url);
  await verify(ana);
  const other = some();
  const answer = await api('POST', '/v1/auth/register', {
    username: other,
    email: ana.email,
    password: 'a long enough one',
  });
  expect(answer).toMatchObject({ status: 201, body: { user: { username: other, emailVerified: false } } });
  expect(Object.keys(answer.body).sort()).toEqual(['accessToken', 'expiresIn', 'refreshToken', 'user']);
  await mailTo(parley.url, ana.email, /already have an account/);
  expect((await logIn(ana.email, ana.password)).body).toMatchObject({ user: { id: ana.id } });
  expect((await logIn(ana.email, 'a long enough one')).status).toBe(401);
});

test('an unverified address of two accounts cannot be used to log in', async () => {
  const email = `${some()}@example.org`;
  const register = (username: string) =>
    api('POST', '/v1/auth/register', { username, email, password: `secret of ${username}` });
  const [first, second] = [some(), some()];
  await register(first);
  expect((await logIn(email, `secret of ${first}`)).status).toBe(200);
  await register(second);
  for (const name of [first, second]) expect((await logIn(email, `secret of ${name}`)).status).toBe(401);
});

test('a mailed link resets the password once and ends every session', async () => {
  const ana = await signUp(parley.url);
  await verify(ana);
  const socket = await connect(parley.url, ana);
  expect(await api('POST', '/v1/auth/password/forgot', { email: ana.email })).toMatchObject({ status: 202, body: {} });
  const token = tokenIn(await mailTo(parley.url, ana.email, /new password/));
  const reset = (password: string) => api('POST', '/v1/auth/password/reset', { token, password });
  expect((await reset('short')).body).toMatchObject({ code: 'invalid', errors: [{ path: '/password' }] });
  expect((await reset('quite another one')).status).toBe(204);
  expect((await reset('yet another one')).body).toMatchObject({ code: 'invalid', errors: [{ path: '/token' }] });
  expect((await socket.closed).code).toBe(4003);
  expect((await ana.call('GET', '/v1/users/me')).status).toBe(401);
  expect((await logIn(ana.username, ana.password)).status).toBe(401);
  expect((await logIn(ana.username, 'quite another one')).status).toBe(200);
  await mailTo(parley.url, ana.email, /password was changed/);
});

test('a reset for an unknown address sends no mail and gets the same answer', async () => {
  const email = `${some()}@example.org`;
  expect(await api('POST', '/v1/auth/password/forgot', { email })).toMatchObject({ status: 202, body: {} });
  const marker = await signUp(parley.url);
  await mailTo(parley.url, marker.email, /Confirm/);
  expect(await mailsTo(parley.url, email)).toEqual([]);
});

test('changing the password ends all other sessions and their sockets', async () => {
  const ana = await signUp(parley.url);
  const other = await logIn(ana.username, ana.password);
  const here = await connect(parley.url, ana);
  const there = await connect(parley.url, { ...ana, accessToken: other.body.accessToken as string });
  const change = (currentPassword: string | undefined, newPassword: string) =>
    ana.call('PUT', '/v1/users/me/password', { ...(currentPassword ? { currentPassword } : {}), newPassword });
  expect((await change('not the one', 'the next password')).body.errors).toMatchObject([{ path: '/currentPassword' }]);
  expect((await change(undefined, 'the next password')).body.errors).toMatchObject([{ path: '/currentPassword' }]);
  expect((await change(ana.password, 'password123')).body.errors).toMatchObject([{ path: '/newPassword' }]);
  expect((await change(ana.password, 'the next password')).status).toBe(204);
  expect((await there.closed).code).toBe(4003);
  expect((await api('GET', '/v1/users/me', undefined, bearer(other.body.accessToken))).status).toBe(401);
  expect((await api('POST', '/v1/auth/refresh', { refreshToken: other.body.refreshToken })).status).toBe(401);
  expect((await ana.call('GET', '/v1/users/me')).status).toBe(200);
  expect(await here.ask({ type: 'ping' })).toMatchObject({ type: 'ack' });
  expect((await logIn(ana.username, 'the next password')).status).toBe(200);
});

test('a reset link from before a password change is refused', async () => {
  const ana = await signUp(parley.url);
  await verify(ana);
  await api('POST', '/v1/auth/password/forgot', { email: ana.email });
  const token = tokenIn(await mailTo(parley.url, ana.email, /new password/));
  await mustCall(ana, 'PUT', '/v1/users/me/password', {
    currentPassword: ana.password,
    newPassword: 'the next password',
  });
  expect((await api('POST', '/v1/auth/password/reset', { token, password: 'by a thief' })).status).toBe(400);
  expect((await logIn(ana.username, 'the next password')).status).toBe(200);
});

test('a new address takes effect when its link is followed, and the old address is notified', async () => {
  const ana = await signUp(parley.url);
  await verify(ana);
  const next = `${some()}@example.org`;
  const change = (body: object) => ana.call('POST', '/v1/users/me/email', body);
  await age(ana);
  expect((await change({ email: next })).body).toMatchObject({ code: 'step_up_required', methods: ['password'] });
  expect((await change({ email: next, password: 'not the one' })).body.errors).toMatchObject([{ path: '/password' }]);
  expect((await change({ email: next, password: ana.password })).status).toBe(202);
  const token = tokenIn(await mailTo(parley.url, next, /new e-mail address/));
  expect((await ana.call('GET', '/v1/users/me')).body).toMatchObject({ email: ana.email, emailVerified: true });
  expect((await logIn(next, ana.password)).status).toBe(401);
  expect((await api('POST', '/v1/auth/verify-email', { token })).status).toBe(204);
  expect((await ana.call('GET', '/v1/users/me')).body).toMatchObject({ email: next, emailVerified: true });
  expect((await logIn(next, ana.password)).status).toBe(200);
  expect((await logIn(ana.email, ana.password)).status).toBe(401);
  await mailTo(parley.url, ana.email, /address was changed/);
});

test('changing to an address that another account owns looks successful and has no effect', async () => {
  const [ana, ben] = await Promise.all([signUp(parley.url), signUp(parley.url)]);
  await verify(ben);
  const answer = await ana.call('POST', '/v1/users/me/email', { email: ben.email, password: ana.password });
  expect(answer).toMatchObject({ status: 202, body: {} });
  await mailTo(parley.url, ben.email, /already have an account/);
  expect((await mailsTo(parley.url, ben.email)).filter(({ subject }) => /new e-mail/.test(subject))).toEqual([]);
});

test('if two accounts request the same address, the first to follow the link gets it', async () => {
  const people = await Promise.all([signUp(parley.url), signUp(parley.url)]);
  const email = `${some()}@example.org`;
  const tokens: string[] = [];
  for (const [index, person] of people.entries()) {
    await mustCall(person, 'POST', '/v1/users/me/email', { email, password: person.password });
    await expect.poll(async () => (await mailsTo(parley.url, email)).length, { interval: 50 }).toBe(index + 1);
    tokens.push(tokenIn((await mailsTo(parley.url, email))[0]!));
  }
  const answers = await Promise.all(tokens.map((token) => api('POST', '/v1/auth/verify-email', { token })));
  expect(answers.map(({ status }) => status).sort()).toEqual([204, 400]);
  const owners = await sql`select id from users where email = ${email} and email_verified_at is not null`;
  expect(owners).toHaveLength(1);
});

test('a guest who becomes a user keeps the id, the rooms, the messages and the socket', async () => {
  const owner = await signUp(parley.url);
  const { body } = await api('POST', '/v1/auth/guest', { displayName: 'Passer-by' });
  const guestId = (body.user as { id: string }).id;
  const guest = { ...owner, id: guestId, accessToken: body.accessToken as string } as TestUser;
  const room = await createRoom([owner, { ...owner, id: guestId }]);
  const socket = await connect(parley.url, guest);
  await socket.say(room, 'said as a guest');
  const username = some();
  const registration = { username, email: `${username}@example.org`, password: 'a long enough one' };
  const call = (token: unknown) => api('POST', '/v1/auth/upgrade', registration, bearer(token));

  expect((await call(owner.accessToken)).body).toMatchObject({ code: 'conflict' });
  const taken = await api(
    'POST',
    '/v1/auth/upgrade',
    { ...registration, username: owner.username },
    bearer(body.accessToken),
  );
  expect(taken).toMatchObject({ status: 409, body: { errors: [{ path: '/username' }] } });
  const upgraded = await call(body.accessToken);
  expect(upgraded).toMatchObject({ status: 200, body: { user: { id: guestId, username, kind: 'user' } } });
  expect((await call(upgraded.body.accessToken)).status).toBe(409);

  const history = await api('GET', `/v1/rooms/${room}/messages`, undefined, bearer(upgraded.body.accessToken));
  expect(history.body.messages).toMatchObject([{ text: 'said as a guest', sender: { id: guestId, username } }]);
  expect(await socket.ask({ type: 'refresh', token: upgraded.body.accessToken })).toMatchObject({ type: 'ack' });
  await socket.say(room, 'said as a user');
  expect((await api('POST', '/v1/auth/refresh', { refreshToken: upgraded.body.refreshToken })).status).toBe(200);
  expect((await logIn(username, 'a long enough one')).body).toMatchObject({ user: { id: guestId } });
  await mailTo(parley.url, `${username}@example.org`, /Confirm your e-mail/);
});

test('opening one session too many ends the one unused for the longest', async () => {
  const ana = await signUp(parley.url);
  await sql`insert into sessions (id, user_id, expires_at, last_used_at)
    select gen_random_uuid(), ${ana.id}, now() + interval '1 day', now() - interval '1 hour' from generate_series(1, 99)`;
  const before = await ana.call('GET', '/v1/users/me/sessions');
  expect(before.body.items).toHaveLength(100);
  await logIn(ana.username, ana.password);
  const after = await ana.call('GET', '/v1/users/me/sessions');
  expect(after.body.items).toHaveLength(100);
  expect(after.body.items!.some(({ current }) => current)).toBe(true);
});

test('all other sessions can be ended together', async () => {
  const ana = await signUp(parley.url);
  const other = await logIn(ana.username, ana.password);
  expect((await ana.call('DELETE', '/v1/users/me/sessions?keep=current')).status).toBe(204);
  expect((await ana.call('GET', '/v1/users/me/sessions')).body.items).toHaveLength(1);
  expect((await api('GET', '/v1/users/me', undefined, bearer(other.body.accessToken))).status).toBe(401);
});

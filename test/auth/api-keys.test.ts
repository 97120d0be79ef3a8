import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { callApi, connect, mustCall, openSocket, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: BorrowedFleet;
let admin: TestUser;
let url: string;
let otherUrl: string;

beforeAll(async () => {
  fleet = await borrowFleet();
  [url, otherUrl] = fleet.chats.map((chat) => chat.url) as [string, string];
  admin = await signUp(url);
  const sql = postgres(fleet.database.url, { max: 1 });
  await sql`update users set role = 'admin' where id = ${admin.id}`;
  await sql.end();
  const login = await callApi(url, 'POST', '/v1/auth/login', { login: admin.username, password: admin.password });
  admin.accessToken = login.body.accessToken as string;
});
afterAll(async () => {
  // The next borrower has keys to make.
  const { items } = await mustCall(admin, 'GET', '/v1/api-keys');
  for (const { id } of items!) await mustCall(admin, 'DELETE', `/v1/api-keys/${id as string}`);
  await fleet.end();
});

async function makeKey(...scopes: string[]) {
  const { id, key } = (await mustCall(admin, 'POST', '/v1/api-keys', { name: 'the shop', scopes })) as {
    id: string;
    key: string;
  };
  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}, at = url) =>
    callApi(at, method, path, body, { authorization: `Bearer ${key}`, ...headers });
  return { id, key, call };
}
const name = () => `s${randomBytes(5).toString('hex')}`;

test('an API key is shown once, stored as a hash, and refused everywhere after its revocation', async () => {
  const { id, key, call } = await makeKey('users:read');
  expect(key).toMatch(/^parley_key_[\w-]{43}$/);
  expect((await call('GET', '/v1/users?query=x')).status).toBe(200);
  const { items } = await mustCall(admin, 'GET', '/v1/api-keys');
  expect(items).toContainEqual(expect.objectContaining({ id, name: 'the shop', scopes: ['users:read'] }));
  expect(JSON.stringify(items)).not.toContain(key);
  const sql = postgres(fleet.database.url, { max: 1 });
  const [row] = await sql`select count(*)::int as found from api_keys k where k::text like ${`%${key}%`}`;
  await sql.end();
  expect(row!.found).toBe(0);
  expect((await admin.call('DELETE', `/v1/api-keys/${id}`)).status).toBe(204);
  expect((await call('GET', '/v1/users?query=x', undefined, {}, otherUrl)).status).toBe(401);
  expect((await admin.call('DELETE', `/v1/api-keys/${id}`)).status).toBe(404);
});

test('only admins manage API keys, and a repeated request does not show the secret again', async () => {
  const user = await signUp(url);
  expect((await user.call('GET', '/v1/api-keys')).status).toBe(403);
  expect((await user.call('POST', '/v1/api-keys', { name: 'x', scopes: ['users:read'] })).status).toBe(403);
  const { call } = await makeKey('users:write');
  expect((await call('POST', '/v1/api-keys', { name: 'x', scopes: ['users:read'] })).status).toBe(403);
  expect((await admin.call('POST', '/v1/api-keys', { name: 'x', scopes: ['everything'] })).status).toBe(400);
  const again = { 'idempotency-key': name() };
  const body = { name: 'once', scopes: ['users:read'] };
  const first = await admin.call('POST', '/v1/api-keys', body, again);
  const second = await admin.call('POST', '/v1/api-keys', body, again);
  expect(second).toMatchObject({ status: 201, body: { id: first.body.id, key: null } });
});

test('of many concurrent requests for one key on two instances, one shows it', async () => {
  const again = { 'idempotency-key': name() };
  const body = { name: 'once', scopes: ['users:read'] };
  const answers = await Promise.all(
    [url, otherUrl, url, otherUrl].map((at) => admin.at(at).call('POST', '/v1/api-keys', body, again)),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
  expect(new Set(answers.map(({ body: { id } }) => id)).size).toBe(1);
  expect(answers.filter(({ body: { key } }) => key !== null)).toHaveLength(1);
});

test('a key can do only what its scopes allow, and is not a user', async () => {
  const { key, call } = await makeKey('users:read');
  expect((await call('POST', '/v1/users', { username: name() })).body).toMatchObject({ code: 'forbidden' });
  expect((await call('GET', '/v1/users/me')).body).toMatchObject({ code: 'forbidden' });
  expect((await call('GET', '/v1/rooms')).body).toMatchObject({ code: 'forbidden' });
  const socket = await openSocket(url);
  expect(await socket.ask({ type: 'hello', token: key })).toMatchObject({ code: 'unauthenticated' });
  await expect(openSocket(url, { authorization: `Bearer ${key}` })).rejects.toThrow('403');
});

test('a server creates users and rooms, adds members, and may repeat its requests', async () => {
  const { call } = await makeKey('users:write', 'rooms:write', 'rooms:read', 'members:write', 'messages:read');
  const once = { 'idempotency-key': name() };
  const draft = { username: name(), displayName: 'Made by the shop' };
  const made = await call('POST', '/v1/users', draft, once);
  expect(made).toMatchObject({ status: 201, body: { displayName: 'Made by the shop', role: 'user' } });
  expect((await call('POST', '/v1/users', draft, once)).body.id).toBe(made.body.id);
  expect((await call('POST', '/v1/users', draft)).status).toBe(409);
  const [ownerId, memberId] = [made.body.id as string, (await signUp(url)).id];
  const room = await call('POST', '/v1/rooms', { name: 'Gardeners', visibility: 'private', ownerId });
  expect(room).toMatchObject({ status: 201, body: { memberCount: 1 } });
  const path = `/v1/rooms/${room.body.id}/members`;
  expect((await call('PUT', `${path}/${memberId}`)).body).toMatchObject({ role: 'member' });
  expect((await call('PUT', `${path}/${memberId}`)).status).toBe(200);
  const { items } = (await call('GET', path, undefined, {}, otherUrl)).body;
  expect(items!.map(({ role }) => role)).toEqual(['owner', 'member']);
  expect((await call('DELETE', `${path}/${memberId}`)).status).toBe(204);
  expect((await call('GET', `/v1/rooms/${room.body.id}/events`)).body).toMatchObject({ hasMore: false });
  const empty = await call('POST', '/v1/rooms', { name: 'Welcome', visibility: 'public' });
  expect(empty).toMatchObject({ status: 201, body: { memberCount: 0, seq: 0 } });
  expect((await call('PUT', `/v1/rooms/${empty.body.id}/members/${memberId}`)).body).toMatchObject({ role: 'member' });
  expect((await call('PUT', `/v1/rooms/${empty.body.id}/members/me`)).status).toBe(400);
});

test('users cannot create rooms for others', async () => {
  const [user, other] = [await signUp(url), await signUp(url)];
  const draft = { name: 'x', visibility: 'private', ownerId: other.id };
  expect((await user.call('POST', '/v1/rooms', draft)).status).toBe(403);
});

test('a server opens sessions for users, and ends their sessions and tokens on every instance', async () => {
  const { call } = await makeKey('users:write', 'sessions:write');
  const identity = { issuer: fleet.host.issuer, subject: name() };
  const made = await call('POST', '/v1/users', { identity, displayName: 'Known by the app' });
  expect(made.status).toBe(201);
  expect(await call('POST', '/v1/users', { identity })).toMatchObject({ status: 200, body: { id: made.body.id } });
  expect((await call('POST', '/v1/users', { identity: { issuer: 'https://x.example', subject: 'y' } })).status).toBe(
    400,
  );

  const minted = await call('POST', `/v1/users/${made.body.id}/sessions`);
  expect(minted.status).toBe(201);
  const hostToken = await fleet.host.sign({ sub: identity.subject });
  const me = (token: string, at: string) =>
    callApi(at, 'GET', '/v1/users/me', undefined, { authorization: `Bearer ${token}` });
  const user = { ...admin, accessToken: hostToken };
  const [byHost, bySession] = [
    await connect(otherUrl, user),
    await connect(url, { ...user, accessToken: minted.body.accessToken as string }),
  ];
  expect((await me(hostToken, otherUrl)).body.id).toBe(made.body.id);

  expect((await call('DELETE', `/v1/users/${made.body.id}/sessions`)).status).toBe(204);
  expect((await me(hostToken, otherUrl)).status).toBe(401);
  expect((await me(minted.body.accessToken as string, otherUrl)).status).toBe(401);
  expect((await callApi(url, 'POST', '/v1/auth/refresh', { refreshToken: minted.body.refreshToken })).status).toBe(401);
  expect((await byHost.closed).code).toBe(4003);
  expect((await bySession.closed).code).toBe(4003);
  // Tokens contain seconds, so a later token needs a later second.
  const later = await fleet.host.sign({ sub: identity.subject, iat: Math.floor(Date.now() / 1000) + 1 });
  expect((await me(later, otherUrl)).body.id).toBe(made.body.id);
  expect((await call('DELETE', `/v1/users/${crypto.randomUUID()}/sessions`)).status).toBe(404);
});

test('a key cannot open a session for staff, or keep one for a user who became staff', async () => {
  const { call } = await makeKey('users:write', 'sessions:write');
  const user = await signUp(url);
  const sql = postgres(fleet.database.url, { max: 1 });
  const opened = await call('POST', `/v1/users/${user.id}/sessions`);
  expect(opened.status).toBe(201);
  for (const role of ['moderator', 'admin']) {
    await sql`update users set role = ${role} where id = ${user.id}`;
    const refused = await call('POST', `/v1/users/${user.id}/sessions`);
    expect(refused).toMatchObject({ status: 403, body: { code: 'forbidden', detail: expect.stringContaining(role) } });
    expect(refused.body.accessToken).toBeUndefined();
  }
  await sql.end();
  const refresh = (refreshToken: unknown) => callApi(url, 'POST', '/v1/auth/refresh', { refreshToken });
  expect(await refresh(opened.body.refreshToken)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  expect((await refresh(user.refreshToken)).body.user).toMatchObject({ role: 'admin' });
});

test('the number of API keys is limited', async () => {
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => admin.call('POST', '/v1/api-keys', { name: 'many', scopes: ['users:read'] })),
  );
  const { items } = await mustCall(admin, 'GET', '/v1/api-keys');
  expect(items).toHaveLength(30);
  expect(answers.some(({ status }) => status === 409)).toBe(true);
});

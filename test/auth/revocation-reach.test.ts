import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { callApi, connect, createRoom, openSocket, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: BorrowedFleet;
let sql: postgres.Sql;
let one: string;
let two: string;

beforeAll(async () => {
  fleet = await borrowFleet();
  sql = postgres(fleet.database.url, { max: 1, onnotice: () => {} });
  [one, two] = fleet.chats.map(({ url }) => url) as [string, string];
});
afterAll(async () => {
  await sql.end();
  await fleet.end();
});

/** The ways to end a session, called on the first instance. */
const endings: readonly (readonly [string, (user: TestUser) => Promise<number>])[] = [
  ['a logout', async (user) => (await user.call('POST', '/v1/auth/logout')).status],
  [
    'the end of one login on the device list',
    async (user) => {
      const { body } = await user.call('GET', '/v1/users/me/sessions');
      return (await user.call('DELETE', `/v1/users/me/sessions/${body.items![0]!.id as string}`)).status;
    },
  ],
  ['the end of all logins', async (user) => (await user.call('DELETE', '/v1/users/me/sessions')).status],
  [
    'a password changed on another device',
    async (user) => {
      const { body } = await callApi(one, 'POST', '/v1/auth/login', { login: user.username, password: user.password });
      const change = { currentPassword: user.password, newPassword: 'quite another one' };
      const headers = { authorization: `Bearer ${body.accessToken as string}` };
      return (await callApi(one, 'PUT', '/v1/users/me/password', change, headers)).status;
    },
  ],
];

interface Measured {
  /** From the ack to the last event that the socket received. */
  readonly silentMs: number;
  readonly closedMs: number;
  readonly code: number;
}

/** Ends a session on one instance while its socket is on the other, in a room with constant messages. */
async function measure(end: (user: TestUser) => Promise<number>): Promise<Measured> {
  const [talker, user] = await Promise.all([signUp(one), signUp(one)]);
  const room = await createRoom([talker, user]);
  const [mouth, ear] = await Promise.all([connect(one, talker), connect(two, user)]);
  await mouth.say(room, 'before');
  await ear.until((frame) => frame.type === 'message.created');
  let lastHeardMs = 0;
  ear.socket.on('message', () => {
    lastHeardMs = performance.now();
  });
  const closedAt = ear.closed.then(() => performance.now());
  let talking = true;
  const talk = (async () => {
    while (talking) await mouth.say(room, 'still talking');
  })();
  expect(await end(user)).toBe(204);
  const ackedMs = performance.now();
  // Every request that begins after the ack is refused, at once and on the other instance.
  expect((await user.at(two).call('GET', '/v1/users/me')).status).toBe(401);
  const { code } = await ear.closed;
  talking = false;
  await talk;
  const closedMs = Math.max(0, (await closedAt) - ackedMs);
  return { silentMs: Math.max(0, lastHeardMs - ackedMs), closedMs, code };
}

test.for(endings)('%s is silence on another instance', async ([, end], { annotate }) => {
  const { silentMs, closedMs, code } = await measure(end);
  await annotate(`last event ${silentMs.toFixed(1)} ms after the ack, closed after ${closedMs.toFixed(1)} ms`);
  expect(code).toBe(4003);
  expect(silentMs).toBeLessThan(30_000);
});

// ── Tokens of host applications ──

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const seconds = () => Math.floor(Date.now() / 1000);
let people = 0;

/** A host application's user with a recent token, and a session that an API key opened. */
async function startHostPerson() {
  const subject = `person-${people++}`;
  const token = await fleet.host.sign({ sub: subject, name: 'Host person', iat: seconds() - 5 });
  const { id } = (await callApi(one, 'GET', '/v1/users/me', undefined, bearer(token))).body as { id: string };
  const admin = await signUp(one);
  await sql`update users set role = 'admin' where id = ${admin.id}`;
  const login = await callApi(one, 'POST', '/v1/auth/login', { login: admin.username, password: admin.password });
  const key = { name: 'the shop', scopes: ['sessions:write'] };
  const made = await callApi(one, 'POST', '/v1/api-keys', key, bearer(login.body.accessToken as string));
  const minted = await callApi(one, 'POST', `/v1/users/${id}/sessions`, undefined, bearer(made.body.key as string));
  return { subject, token, id, session: minted.body.accessToken as string };
}
type HostPerson = Awaited<ReturnType<typeof startHostPerson>>;

const hostEndings: readonly (readonly [string, (person: HostPerson) => Promise<{ status: number }>])[] = [
  ['a logout with one of them', ({ token }) => callApi(one, 'POST', '/v1/auth/logout', undefined, bearer(token))],
  [
    'the end of all logins, asked for with one of them',
    ({ token }) => callApi(one, 'DELETE', '/v1/users/me/sessions', undefined, bearer(token)),
  ],
  [
    'the end of all logins, asked for in a login of Parley’s own',
    ({ session }) => callApi(one, 'DELETE', '/v1/users/me/sessions', undefined, bearer(session)),
  ],
  [
    'the end of all other logins',
    ({ session }) => callApi(one, 'DELETE', '/v1/users/me/sessions?keep=current', undefined, bearer(session)),
  ],
  [
    'a change of the password',
    ({ session }) => callApi(one, 'PUT', '/v1/users/me/password', { newPassword: 'quite a good one' }, bearer(session)),
  ],
];

test.for(hostEndings)('%s ends the tokens of host applications on every instance', async ([, end]) => {
  const person = await startHostPerson();
  const me = (url: string, token: string) => callApi(url, 'GET', '/v1/users/me', undefined, bearer(token));
  // One token that both instances have cached, and one that no instance has seen.
  expect((await me(two, person.token)).status).toBe(200);
  const unseen = await fleet.host.sign({ sub: person.subject, name: 'Host person', iat: seconds() - 4 });
  const socket = await openSocket(two);
  expect((await socket.ask({ type: 'hello', token: person.token })).type).toBe('welcome');
  expect((await end(person)).status).toBe(204);
  for (const token of [person.token, unseen])
    for (const url of [one, two]) expect((await me(url, token)).body).toMatchObject({ code: 'unauthenticated' });
  expect((await socket.closed).code).toBe(4003);
  // Tokens contain seconds, so a later token needs a later second.
  const later = await fleet.host.sign({ sub: person.subject, name: 'Host person', iat: seconds() + 1 });
  expect((await me(two, later)).body.id).toBe(person.id);
});

test('keeping a host application’s current token ends older ones and every session', async () => {
  const person = await startHostPerson();
  const present = await fleet.host.sign({ sub: person.subject, name: 'Host person', iat: seconds() - 2 });
  const me = (token: string) => callApi(two, 'GET', '/v1/users/me', undefined, bearer(token));
  expect((await me(present)).status).toBe(200);
  const path = '/v1/users/me/sessions?keep=current';
  expect((await callApi(one, 'DELETE', path, undefined, bearer(present))).status).toBe(204);
  expect((await me(present)).status).toBe(200);
  expect((await me(person.token)).status).toBe(401);
  expect((await me(person.session)).status).toBe(401);
});

test('a refresh token that is reused late ends the session on every instance', async () => {
  const user = await signUp(one);
  const refresh = (url: string, refreshToken: unknown) => callApi(url, 'POST', '/v1/auth/refresh', { refreshToken });
  const first = await refresh(one, user.refreshToken);
  const socket = await connect(two, { ...user, accessToken: first.body.accessToken as string });
  // Two tabs that refresh at once: no extra token is issued, and the session continues.
  expect((await refresh(two, user.refreshToken)).status).toBe(409);
  expect(await socket.ask({ type: 'ping' })).toMatchObject({ type: 'ack' });
  await sql`update refresh_tokens set rotated_at = rotated_at - interval '16 seconds'
    where rotated_at is not null and session_id in (select id from sessions where user_id = ${user.id})`;
  expect((await refresh(one, user.refreshToken)).status).toBe(401);
  expect((await socket.closed).code).toBe(4003);
  expect((await refresh(two, first.body.refreshToken)).status).toBe(401);
  const authorization = `Bearer ${first.body.accessToken as string}`;
  expect((await callApi(two, 'GET', '/v1/users/me', undefined, { authorization })).status).toBe(401);
});

test('without Redis a revocation takes effect at the next read of Postgres, after 30 s at most', async ({
  annotate,
}) => {
  await fleet.redis.kill();
  const { silentMs, closedMs, code } = await measure(endings[0]![1]);
  await annotate(`last event ${silentMs.toFixed(1)} ms after the ack, closed after ${closedMs.toFixed(1)} ms`);
  expect(code).toBe(4003);
  expect(silentMs).toBeLessThan(30_000);
});

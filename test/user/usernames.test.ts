/** Which usernames are allowed, and which users a mention notifies. */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { beforeAll, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { startSingle } from '../harness/stack.ts';
import { callApi, createRoom, mustCall, signUp } from '../harness/test-client.ts';

let parley: SharedParley;

beforeAll(async () => {
  parley = await useSharedParley();
});

const random = () => randomBytes(4).toString('hex');
const register = (username: string, url = parley.url) =>
  callApi(url, 'POST', '/v1/auth/register', {
    ...{ username, email: `${random()}@example.org`, password: 'a password of some length' },
  });

test.each([
  'bob.',
  'bob-',
  'bob.-.',
  'bob...',
  '.bob',
  '-bob',
  '_bob',
  'b',
  'x'.repeat(33),
  'jörg',
  'two words',
  'bo\nb',
  'bob@x',
])('the username %j is refused: no text can mention it', async (username) => {
  const answer = await register(username);
  expect(answer).toMatchObject({ status: 400, body: { code: 'invalid', errors: [{ path: '/username' }] } });
});

test('an older name that cannot be mentioned still works for logins', async () => {
  const ana = await signUp(parley.url);
  const old = `old${random()}.`;
  const sql = postgres(parley.database.url, { max: 1 });
  await sql`update users set username = ${old} where id = ${ana.id}`;
  await sql.end();
  const login = await callApi(parley.url, 'POST', '/v1/auth/login', { login: old, password: ana.password });
  expect(login).toMatchObject({ status: 200, body: { user: { id: ana.id, username: old } } });
});

test.each(['b_', 'www.x', 'x.com', 'a--b', 'x'.repeat(28)])(
  'a username like %s is accepted, and a mention of it notifies its owner',
  async (pattern) => {
    const username = `${pattern.startsWith('www') ? '' : random()}${pattern}`.slice(0, 32);
    const [ana, ben] = [await signUp(parley.url), await signUp(parley.url, username)];
    const room = await createRoom([ana, ben]);
    const say = (text: string) => mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: random(), text });
    for (const text of [`@${username}`, `*hi* @${username}, ok`, `see you, @${username}.`])
      expect((await say(text)).mentions).toEqual([ben.id]);
  },
);

test('a mention of a longer name does not notify the owner of its beginning', async () => {
  const longest = `a${random()}${'b'.repeat(23)}`;
  const short = `jos${random()}`;
  const [ana, ben, cleo] = [
    await signUp(parley.url),
    await signUp(parley.url, longest),
    await signUp(parley.url, short),
  ];
  const room = await createRoom([ana, ben, cleo]);
  const say = (text: string) => mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: random(), text });
  expect(longest).toHaveLength(32);
  for (const text of [
    `@${longest}ccc`,
    `@${longest}_c.d`,
    `@${longest}-c`,
    `@${short}é`,
    `@${short}e\u0301`,
    `@${short}@other.example`,
  ])
    expect([text, (await say(text)).mentions]).toEqual([text, []]);
  expect((await say(`@${longest}. @${short}请看`)).mentions).toEqual([ben.id, cleo.id]);
});

test.each(['root', 'Support', 'MODERATOR', 'admin', 'admin_', 'here', 'Everyone', 'no-reply'])(
  'the username %s is reserved',
  async (username) => {
    expect(await register(username)).toMatchObject({
      status: 400,
      body: { code: 'invalid', errors: [{ path: '/username', message: 'is reserved' }] },
    });
  },
);

test('the operator says which names are reserved; the product’s own always are', async () => {
  const own = await startSingle({ PARLEY_AUTH_RESERVED_USERNAMES: 'Acme, acme-team' });
  const statusOf = async (username: string) => (await register(username, own.url)).status;
  expect(await Promise.all(['acme', 'ACME_', 'Acme-Team', 'here', 'parley'].map(statusOf))).toEqual(Array(5).fill(400));
  expect(await Promise.all(['support', 'acme2'].map(statusOf))).toEqual([201, 201]);
  await own.end();
});

async function vouched(claims: Record<string, unknown>): Promise<{ id: string; username: string }> {
  const token = await parley.host.sign({ sub: crypto.randomUUID(), ...claims });
  const headers = { authorization: `Bearer ${token}` };
  const { status, body } = await callApi(parley.url, 'GET', '/v1/users/me', undefined, headers);
  expect(status).toBe(200);
  return body as unknown as { id: string; username: string };
}

test('users from an issuer get a readable username from any name', async () => {
  expect(await vouched({ name: 'Jürgen Müller' })).toMatchObject({ username: 'Jurgen-Muller' });
  expect(await vouched({ name: 'Jürgen Müller' })).toMatchObject({
    username: expect.stringMatching(/^Jurgen-Muller-\w{6}$/),
  });
  expect(await vouched({ name: 'Łukasz Strauß' })).toMatchObject({ username: 'Lukasz-Strauss' });
  for (const name of ['李雷', 'Иван', '🌹', 'admin', 'Support.', undefined])
    expect(await vouched({ name })).toMatchObject({ username: expect.stringMatching(/^user-\w{6}$/) });
});

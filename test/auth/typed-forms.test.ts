/** Devices type differently: spaces around a name, and the Unicode form of letters with accents. */
import { argon2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mailTo, tokenIn } from '../harness/mailbox.ts';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { callApi, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: SharedParley;
let sql: postgres.Sql;

beforeAll(async () => {
  parley = await useSharedParley();
  sql = postgres(parley.database.url, { max: 1 });
});
afterAll(async () => {
  await sql.end();
});

const api = (path: string, body: object) => callApi(parley.url, 'POST', path, body);
const logIn = (login: string, password: string) => api('/v1/auth/login', { login, password });
const some = () => `t${randomBytes(5).toString('hex')}`;
const around = [(text: string) => ` ${text}`, (text: string) => `${text} `, (text: string) => `\u00a0${text}\t\r\n`];

test('white space around a username or an address is ignored everywhere', async () => {
  const ana = await signUp(parley.url);
  for (const wrap of around)
    for (const name of [ana.username, ana.email, ana.username.toUpperCase()])
      expect([wrap(name), (await logIn(wrap(name), ana.password)).status]).toEqual([wrap(name), 200]);
  for (const name of [' ', `${ana.username} x`, ana.username.replace(/^t?(.)/, '$1 ')])
    expect((await logIn(name, ana.password)).status).toBe(401);
  // A password is not trimmed.
  expect((await logIn(ana.username, `${ana.password} `)).status).toBe(401);

  const username = some();
  const registration = {
    username: ` ${username} `,
    email: ` ${username}@example.org\n`,
    password: 'a long enough one',
  };
  const made = await api('/v1/auth/register', registration);
  expect(made).toMatchObject({ status: 201, body: { user: { username, email: `${username}@example.org` } } });
  expect((await api('/v1/auth/register', { ...registration, username: `${username}\u00a0` })).status).toBe(409);
  await api('/v1/auth/password/forgot', { email: `\t${username}@example.org ` });
  await mailTo(parley.url, `${username}@example.org`, /new password/);
  const next = `${some()}@example.org`;
  await mustCall(ana, 'POST', '/v1/users/me/email', { email: `  ${next} `, password: ana.password });
  await mailTo(parley.url, next, /new e-mail address/);
});

test('spaces around a name do not give more login attempts', async () => {
  const ana = await signUp(parley.url);
  const names = Array.from({ length: 12 }, (_, index) => ' '.repeat(index) + ana.username);
  const statuses = [];
  for (const name of names) statuses.push((await logIn(name, 'not the one')).status);
  expect(statuses).toContain(429);
});

const composed = 'Grüße aus Zürich'.normalize('NFC');
const decomposed = composed.normalize('NFD');

test.each([
  ['composed', 'decomposed', composed, decomposed],
  ['decomposed', 'composed', decomposed, composed],
  ['with a plain space', 'with a wide one', composed, composed.replaceAll(' ', '\u3000')],
])('a password that was set %s is right %s', async (_set, _typed, set, typed) => {
  const username = some();
  const made = await api('/v1/auth/register', { username, email: `${username}@example.org`, password: set });
  expect(made.status).toBe(201);
  for (const password of [set, typed]) expect((await logIn(username, password)).status).toBe(200);
  expect((await logIn(username, 'Grusse aus Zurich')).status).toBe(401);
  const headers = { authorization: `Bearer ${made.body.accessToken}` };
  const change = { currentPassword: typed, newPassword: `${typed}!` };
  expect((await callApi(parley.url, 'PUT', '/v1/users/me/password', change, headers)).status).toBe(204);
  expect((await logIn(username, `${set}!`)).status).toBe(200);
  await api('/v1/auth/password/forgot', { email: `${username}@example.org` });
  const token = tokenIn(await mailTo(parley.url, `${username}@example.org`, /new password/));
  expect((await api('/v1/auth/password/reset', { token, password: `${typed}?` })).status).toBe(204);
  expect((await logIn(username, `${set}?`)).status).toBe(200);
});

/** A hash as older versions computed it, from the password as typed. */
async function plant(user: TestUser, password: string): Promise<string> {
  const nonce = randomBytes(16);
  const cost = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 };
  const tag = await promisify(argon2)('argon2id', { message: password, nonce, ...cost });
  const text = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
  const hash = `$argon2id$v=19$m=19456,t=2,p=1$${text(nonce)}$${text(tag)}`;
  await sql`update users set password_hash = ${hash} where id = ${user.id}`;
  return hash;
}
const hashOf = async ({ id }: TestUser) =>
  (await sql<{ password_hash: string }[]>`select password_hash from users where id = ${id}`)[0]!.password_hash;

test.each([
  ['decomposed letters', decomposed, decomposed],
  ['decomposed letters, typed composed', decomposed, composed],
  ['wide spaces', composed.replaceAll(' ', '\u3000'), composed.replaceAll(' ', '\u3000')],
])('a hash from before that was made of %s still logs in, and is replaced once', async (_, stored, typed) => {
  const ana = await signUp(parley.url);
  const old = await plant(ana, stored);
  expect((await logIn(ana.username, 'not the one')).status).toBe(401);
  expect(await hashOf(ana)).toBe(old);
  // Several devices log in at once: each succeeds.
  const answers = await Promise.all([1, 2, 3, 4].map(() => logIn(ana.username, typed)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  const renewed = await hashOf(ana);
  expect(renewed).not.toBe(old);
  for (const password of [composed, decomposed]) expect((await logIn(ana.username, password)).status).toBe(200);
  expect(await hashOf(ana)).toBe(renewed);
});

test('a hash of a composed password is left alone', async () => {
  const ana = await signUp(parley.url);
  await plant(ana, composed);
  const before = await hashOf(ana);
  expect((await logIn(ana.username, composed)).status).toBe(200);
  // The hash has the present form already.
  expect(await hashOf(ana)).toBe(before);
});

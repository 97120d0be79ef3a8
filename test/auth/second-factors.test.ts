import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { codeAt, stepAt } from '../../src/auth/mfa/totp.ts';
import { mailTo, tokenIn } from '../harness/mailbox.ts';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { callApi, mustCall, signUp, type TestUser } from '../harness/test-client.ts';
import { fromBase32, turnOnApp } from './authenticator-app.ts';

let parley: SharedParley;
let sql: postgres.Sql;

beforeAll(async () => {
  parley = await useSharedParley();
  sql = postgres(parley.database.url, { max: 1, onnotice: () => {} });
});
afterAll(() => sql.end());

const api = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  callApi(parley.url, method, path, body, headers);
const logIn = ({ username, password }: TestUser) => api('POST', '/v1/auth/login', { login: username, password });
const second = (challenge: unknown, code: string) => api('POST', '/v1/auth/second-factor', { challenge, code });
const age = ({ id }: TestUser) =>
  sql`update sessions set authenticated_at = now() - interval '10 minutes' where user_id = ${id}`;
const factorsOf = (user: TestUser) => mustCall(user, 'GET', '/v1/users/me/second-factors');

test('a first code turns an authenticator app on, and recovery codes are shown once', async () => {
  const ana = await signUp(parley.url);
  expect(await factorsOf(ana)).toEqual({ items: [], nextCursor: null, methods: [], recoveryCodesLeft: 0 });
  const begun = await mustCall(ana, 'POST', '/v1/users/me/second-factors/totp');
  expect(begun.uri).toBe(
    `otpauth://totp/Parley:${ana.username}?issuer=Parley&secret=${begun.secret as string}&algorithm=SHA1&digits=6&period=30`,
  );
  const confirm = (code: string) => ana.call('POST', '/v1/users/me/second-factors/totp/confirm', { code });
  const app = codeAt(fromBase32(begun.secret as string), stepAt(Date.now() / 1000));
  const wrong = String((Number(app) + 1) % 1_000_000).padStart(6, '0');
  expect((await confirm(wrong)).body).toMatchObject({ code: 'invalid', errors: [{ path: '/code' }] });
  expect((await logIn(ana)).status).toBe(200);
  const confirmed = await confirm(app);
  const codes = confirmed.body.recoveryCodes as string[];
  expect(codes).toHaveLength(10);
  expect(new Set(codes).size).toBe(10);
  expect(codes[0]).toMatch(/^([A-Z2-7]{4}-){6}[A-Z2-7]{4}$/);
  expect(await factorsOf(ana)).toMatchObject({
    items: [{ kind: 'totp', name: 'Authenticator app' }],
    methods: ['totp', 'recovery_code'],
    recoveryCodesLeft: 10,
  });
  expect((await ana.call('POST', '/v1/users/me/second-factors/totp')).body).toMatchObject({ code: 'conflict' });
});

test('with a second factor, the password alone opens no session', async () => {
  const ana = await signUp(parley.url);
  const { app } = await turnOnApp(ana);
  const first = await logIn(ana);
  expect(first).toMatchObject({
    status: 401,
    body: { code: 'second_factor_required', methods: ['totp', 'recovery_code'], expiresIn: 600 },
  });
  expect(first.body.accessToken).toBeUndefined();
  // A wrong password does not reveal that there is a second factor.
  const wrong = await api('POST', '/v1/auth/login', { login: ana.username, password: 'not the one' });
  expect(wrong.body).toMatchObject({ code: 'unauthenticated' });
  expect(wrong.body.challenge).toBeUndefined();
  expect((await second(first.body.challenge, '000000')).body).toMatchObject({ code: 'unauthenticated' });
  const done = await second(first.body.challenge, app());
  expect(done).toMatchObject({ status: 200, body: { user: { id: ana.id } } });
  expect((await second(first.body.challenge, app(1))).status).toBe(401);
});

test('a code works once, also for two concurrent requests', async () => {
  const ana = await signUp(parley.url);
  const { app } = await turnOnApp(ana);
  const challenges = await Promise.all([logIn(ana), logIn(ana), logIn(ana)]);
  const code = app();
  const answers = await Promise.all(challenges.map(({ body }) => second(body.challenge, code)));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401]);
  const late = await logIn(ana);
  expect((await second(late.body.challenge, code)).status).toBe(401);
});

test('a recovery code works once, in any spelling', async () => {
  const ana = await signUp(parley.url);
  const { recoveryCodes } = await turnOnApp(ana);
  const typed = recoveryCodes[0]!.toLowerCase().replaceAll('-', ' ');
  expect((await second((await logIn(ana)).body.challenge, typed)).status).toBe(200);
  expect((await second((await logIn(ana)).body.challenge, typed)).status).toBe(401);
  expect((await factorsOf(ana)).recoveryCodesLeft).toBe(9);
});

test('nobody uses another person’s recovery code, challenge or factor', async () => {
  const [ana, ben] = await Promise.all([signUp(parley.url), signUp(parley.url)]);
  const [anas, bens] = [await turnOnApp(ana), await turnOnApp(ben)];
  const challenge = (await logIn(ana)).body.challenge;
  expect((await second(challenge, bens.recoveryCodes[0]!)).status).toBe(401);
  expect((await second(challenge, bens.app())).status).toBe(401);
  const [factor] = (await factorsOf(ana)).items!;
  expect((await ben.call('DELETE', `/v1/users/me/second-factors/${factor!.id as string}`)).status).toBe(404);
  expect((await ben.call('PATCH', `/v1/users/me/second-factors/${factor!.id as string}`, { name: 'x' })).status).toBe(
    404,
  );
  expect((await second(challenge, anas.app())).status).toBe(200);
});

test('wrong codes are limited, and a trusted device is not affected', async () => {
  const ana = await signUp(parley.url);
  const { app, recoveryCodes } = await turnOnApp(ana);
  const first = await logIn(ana);
  const entered = await second(first.body.challenge, app());
  const [device] = /parley-device=[\w-]{43}/.exec(entered.headers.get('set-cookie')!)!;
  for (let guess = 0; guess < 5; guess++) {
    await second((await logIn(ana)).body.challenge, String(guess).padStart(6, '0'));
  }
  const challenge = (await logIn(ana)).body.challenge;
  const slowed = await second(challenge, recoveryCodes[0]!);
  expect(slowed).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  expect(Number(slowed.headers.get('retry-after'))).toBeGreaterThan(0);
  const known = await api('POST', '/v1/auth/second-factor', { challenge, code: recoveryCodes[0]! }, { cookie: device });
  expect(known.status).toBe(200);
});

test('removing a factor needs a recent login or a code, not just a token or the password', async () => {
  const ana = await signUp(parley.url);
  const { app, recoveryCodes } = await turnOnApp(ana);
  const [factor] = (await factorsOf(ana)).items!;
  const remove = () => ana.call('DELETE', `/v1/users/me/second-factors/${factor!.id as string}`);
  await age(ana);
  expect((await remove()).body).toMatchObject({ code: 'step_up_required', methods: ['totp', 'recovery_code'] });
  for (const path of ['recovery-codes', 'passkeys/options'])
    expect((await ana.call('POST', `/v1/users/me/second-factors/${path}`)).body.code).toBe('step_up_required');
  const stepUp = (proof: object) => ana.call('POST', '/v1/auth/step-up', proof);
  expect((await stepUp({ password: ana.password })).body.code).toBe('step_up_required');
  expect((await stepUp({ code: '000000' })).body.code).toBe('forbidden');
  expect((await stepUp({})).body.code).toBe('invalid');
  expect((await remove()).status).toBe(403);
  expect((await stepUp({ code: app() })).status).toBe(204);
  const renewed = await mustCall(ana, 'POST', '/v1/users/me/second-factors/recovery-codes');
  expect((await second((await logIn(ana)).body.challenge, recoveryCodes[0]!)).status).toBe(401);
  expect((await second((await logIn(ana)).body.challenge, (renewed.recoveryCodes as string[])[0]!)).status).toBe(200);
  expect((await remove()).status).toBe(204);
  expect((await remove()).status).toBe(404);
  expect(await factorsOf(ana)).toMatchObject({ items: [], methods: [], recoveryCodesLeft: 0 });
  expect((await logIn(ana)).status).toBe(200);
});

test('with second factors, changing the address needs a step-up', async () => {
  const ana = await signUp(parley.url);
  const { app } = await turnOnApp(ana);
  await age(ana);
  const change = () => ana.call('POST', '/v1/users/me/email', { email: `new-${ana.email}`, password: ana.password });
  expect((await change()).body.code).toBe('step_up_required');
  await mustCall(ana, 'POST', '/v1/auth/step-up', { code: app() });
  expect((await change()).status).toBe(202);
});

test('a reset does not skip the second step, and ends earlier challenges', async () => {
  const ana = await signUp(parley.url);
  const confirmation = tokenIn(await mailTo(parley.url, ana.email, /Confirm/));
  await mustCall(ana, 'POST', '/v1/auth/verify-email', { token: confirmation });
  const { app } = await turnOnApp(ana);
  const before = (await logIn(ana)).body.challenge;
  await api('POST', '/v1/auth/password/forgot', { email: ana.email });
  const token = tokenIn(await mailTo(parley.url, ana.email, /new password/));
  expect((await api('POST', '/v1/auth/password/reset', { token, password: 'quite another one' })).status).toBe(204);
  expect((await second(before, app())).status).toBe(401);
  const after = await logIn({ ...ana, password: 'quite another one' });
  expect(after.body.code).toBe('second_factor_required');
});

test('guests have no second factors', async () => {
  const { body } = await api('POST', '/v1/auth/guest', { displayName: 'Passer-by' });
  const headers = { authorization: `Bearer ${body.accessToken as string}` };
  expect((await api('POST', '/v1/users/me/second-factors/totp', undefined, headers)).status).toBe(403);
});

test('an owner with a verified address is notified of every change', async () => {
  const ana = await signUp(parley.url);
  const token = tokenIn(await mailTo(parley.url, ana.email, /Confirm/));
  await api('POST', '/v1/auth/verify-email', { token });
  await turnOnApp(ana);
  await mailTo(parley.url, ana.email, /second step was added/);
  const [factor] = (await factorsOf(ana)).items!;
  await mustCall(ana, 'DELETE', `/v1/users/me/second-factors/${factor!.id as string}`);
  await mailTo(parley.url, ana.email, /second step was taken/);
});

test('the database contains the secret encrypted and recovery codes hashed', async () => {
  const ana = await signUp(parley.url);
  const { secret } = await mustCall(ana, 'POST', '/v1/users/me/second-factors/totp');
  const code = codeAt(fromBase32(secret as string), stepAt(Date.now() / 1000));
  const { recoveryCodes } = await mustCall(ana, 'POST', '/v1/users/me/second-factors/totp/confirm', { code });
  const rows = await sql`select * from second_factors where user_id = ${ana.id}`;
  const stored = JSON.stringify(rows).toUpperCase();
  const key = fromBase32(secret as string);
  for (const spelling of [secret as string, key.toString('hex'), key.toString('base64'), key.toString('base64url')])
    expect(stored).not.toContain(spelling.toUpperCase());
  for (const each of recoveryCodes as string[]) expect(stored).not.toContain(each.replaceAll('-', ''));
  expect(await sql`select 1 from sealing_keys`).toEqual([]);
});

test('recovery codes work after the encryption key was lost', async () => {
  const ana = await signUp(parley.url);
  const { app, recoveryCodes } = await turnOnApp(ana);
  await sql`update second_factors set data = data || '{"secret":"v1.gone.AAAA.AAAA.AAAA"}' where user_id = ${ana.id} and kind = 'totp'`;
  const { challenge } = (await logIn(ana)).body;
  expect(await second(challenge, app())).toMatchObject({ status: 503, body: { code: 'unavailable' } });
  expect((await second(challenge, recoveryCodes[0]!)).status).toBe(200);
});

test.each([
  ['an unknown challenge', { challenge: randomBytes(32).toString('base64url'), code: '123456' }, 401],
  ['no code', { challenge: 'x' }, 401],
  ['a code that is a number', { challenge: 'x', code: 123456 }, 400],
  ['an unknown field', { challenge: 'x', code: '123456', admin: true }, 400],
])('%s is refused', async (_, body, status) => {
  expect((await api('POST', '/v1/auth/second-factor', body)).status).toBe(status);
});

test.each(['%00', 'a%00b', '%F0%9F%94%91', "x'--", 'a b'])(
  'a factor called %j is refused, not an error',
  async (id) => {
    const ana = await signUp(parley.url);
    expect((await ana.call('DELETE', `/v1/users/me/second-factors/${id}`)).status).toBe(400);
  },
);

test.each([
  ['a ceremony that was never begun', { ceremony: 'x'.repeat(43) }],
  ['a credential that is none', { ceremony: undefined }],
])('a passkey login by %s is refused', async (_, { ceremony }) => {
  const begun = await api('POST', '/v1/auth/passkey/options');
  const response = { id: 'AAAA', rawId: 'AAAA', type: 'public-key', response: { clientDataJSON: 'e30' } };
  const body = { ceremony: ceremony ?? begun.body.ceremony, response };
  expect((await api('POST', '/v1/auth/passkey', body)).body).toMatchObject({ code: 'unauthenticated' });
  // A failure uses the ceremony up, too.
  expect((await api('POST', '/v1/auth/passkey', body)).body).toMatchObject({ code: 'unauthenticated' });
});

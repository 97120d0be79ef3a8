/** Only the newest of the links that were mailed for one purpose works. */
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mailsTo, tokenIn } from '../harness/mailbox.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: Single;
let sql: postgres.Sql;

beforeAll(async () => {
  parley = await startSingle({ PARLEY_NOTIFICATIONS_EMAIL_ACCOUNT_PER_HOUR: '2' });
  sql = postgres(parley.database.url, { max: 1 });
});
afterAll(async () => {
  await sql.end();
  await parley.end();
});

const api = (path: string, body: object) => callApi(parley.url, 'POST', path, body);
const forgot = (email: string) => api('/v1/auth/password/forgot', { email });
const reset = (token: string) =>
  api('/v1/auth/password/reset', { token, password: `new password ${token.slice(0, 8)}` });
const verify = (token: string) => api('/v1/auth/verify-email', { token });

/** Waits for so many mails with this subject. @returns their tokens, oldest first */
async function tokens(address: string, subject: RegExp, count: number): Promise<string[]> {
  const found = async () => (await mailsTo(parley.url, address)).filter((mail) => subject.test(mail.subject));
  await expect.poll(async () => (await found()).length, { interval: 50 }).toBe(count);
  return (await found()).map(tokenIn).reverse();
}

const stateOfMails = async ({ id }: TestUser, template: string) =>
  (await sql`select state from mails where user_id = ${id} and template = ${template} order by created_at, id`).map(
    ({ state }) => state as string,
  );

test('requesting another reset link invalidates the earlier one, even before it is mailed', async () => {
  const ana = await signUp(parley.url);
  await forgot(ana.email);
  const [first] = (await tokens(ana.email, /new password/, 1)) as [string];
  expect((await forgot(ana.email)).status).toBe(202);
  expect(await reset(first)).toMatchObject({ status: 400, body: { code: 'invalid', errors: [{ path: '/token' }] } });
  const [, second] = (await tokens(ana.email, /new password/, 2)) as [string, string];
  expect((await reset(first)).status).toBe(400);
  expect((await reset(second)).status).toBe(204);
  expect((await reset(first)).status).toBe(400);
});

test('requesting another verification link invalidates the earlier one', async () => {
  const ana = await signUp(parley.url);
  const [first] = (await tokens(ana.email, /Confirm/, 1)) as [string];
  await mustCall(ana, 'POST', '/v1/users/me/email/verification');
  expect((await verify(first)).status).toBe(400);
  const [, second] = (await tokens(ana.email, /Confirm/, 2)) as [string, string];
  expect((await verify(second)).status).toBe(204);
});

test('a dropped mail does not invalidate earlier links', async () => {
  const ana = await signUp(parley.url);
  const outcomes = ['sent', 'sent', 'cancelled', 'cancelled'];
  for (const asked of outcomes.keys()) {
    await forgot(ana.email);
    const expected = outcomes.slice(0, asked + 1);
    await expect.poll(() => stateOfMails(ana, 'reset')).toEqual(expected);
  }
  const [first, second] = (await tokens(ana.email, /new password/, 2)) as [string, string];
  expect((await reset(first)).status).toBe(400);
  expect((await reset(second)).status).toBe(204);
});

test('requests of other accounts with the same address do not invalidate a link', async () => {
  const ana = await signUp(parley.url);
  const [own] = (await tokens(ana.email, /Confirm/, 1)) as [string];
  const username = `x${crypto.randomUUID().slice(0, 8)}`;
  await api('/v1/auth/register', { username, email: ana.email, password: 'a long enough one' });
  await tokens(ana.email, /Confirm/, 2);
  expect((await verify(own)).status).toBe(204);
  expect((await ana.call('GET', '/v1/users/me')).body).toMatchObject({ emailVerified: true });
});

/** Custom statuses and invisibility, as the account's owner and as others see them. */
import postgres from 'postgres';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { callApi, mustCall, signUp } from '../harness/test-client.ts';

const blockedText = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

let parley: SharedParley;
beforeAll(async () => {
  parley = await useSharedParley();
});

const pair = () => Promise.all([signUp(parley.url), signUp(parley.url)]);

test('a status shows in the own account and in the profile, until it is taken away', async () => {
  const [ana, ben] = await pair();
  expect((await mustCall(ana, 'GET', '/v1/users/me')).status).toBeNull();
  const status = { emoji: '👩🏽‍🚀', text: '  On   a mission ', expiresAt: inAnHour() };
  const stored = { ...status, text: 'On a mission' };
  const changed = await mustCall(ana, 'PATCH', '/v1/users/me', { status });
  expect(changed).toMatchObject({ status: { emoji: status.emoji, expiresAt: status.expiresAt }, invisible: false });
  expect((changed.status as { text: string }).text.replace(/\s+/g, ' ')).toBe(stored.text);
  expect((await mustCall(ben, 'GET', `/v1/users/${ana.id}`)).status).toEqual(changed.status);

  // Another change leaves it as it is.
  await mustCall(ana, 'PATCH', '/v1/users/me', { displayName: 'Ana' });
  expect((await mustCall(ana, 'GET', '/v1/users/me')).status).toEqual(changed.status);
  await mustCall(ana, 'PATCH', '/v1/users/me', { status: { text: 'Lunch' } });
  expect((await mustCall(ben, 'GET', `/v1/users/${ana.id}`)).status).toEqual({
    ...{ emoji: null, text: 'Lunch', expiresAt: null },
  });
  await mustCall(ana, 'PATCH', '/v1/users/me', { status: null });
  expect((await mustCall(ben, 'GET', `/v1/users/${ana.id}`)).status).toBeNull();
});

test.each([
  ['two emoji', { emoji: '👍👍' }, '/status/emoji'],
  ['a letter as an emoji', { emoji: 'a' }, '/status/emoji'],
  ['a modifier alone', { emoji: '\ufe0f' }, '/status/emoji'],
  ['nothing', {}, '/status'],
  ['blanks', { text: '   ', emoji: null }, '/status'],
  ['two lines', { text: 'one\ntwo' }, '/status/text'],
  ['a text that is too long', { text: 'x'.repeat(101) }, '/status/text'],
  ['a time that has passed', { text: 'x', expiresAt: '2020-01-01T00:00:00Z' }, '/status/expiresAt'],
  ['a time that is none', { text: 'x', expiresAt: 'tomorrow' }, '/status/expiresAt'],
  ['an unknown field', { text: 'x', colour: 'red' }, '/status/colour'],
])('a status of %s is invalid', async (_what, status, path) => {
  const ana = await signUp(parley.url);
  const { status: code, body } = await ana.call('PATCH', '/v1/users/me', { status });
  expect({ code, kind: body.code }).toEqual({ code: 400, kind: 'invalid' });
  expect((body.errors as { path: string }[]).map((error) => error.path)).toContain(path);
  expect((await mustCall(ana, 'GET', '/v1/users/me')).status).toBeNull();
});

test('a text of exactly the longest length is accepted, counted in code points', async () => {
  const ana = await signUp(parley.url);
  const text = '𝒳'.repeat(100);
  expect((await mustCall(ana, 'PATCH', '/v1/users/me', { status: { text } })).status).toMatchObject({ text });
});

test('the text of a status is judged like a message, and nothing of a refused change is stored', async () => {
  const ana = await signUp(parley.url);
  const change = { displayName: 'New name', status: { text: blockedText } };
  const { status, body } = await ana.call('PATCH', '/v1/users/me', change);
  expect({ status, code: body.code }).toEqual({ status: 422, code: 'message_blocked' });
  expect(body.detail).toContain('this status');
  expect(await mustCall(ana, 'GET', '/v1/users/me')).toMatchObject({ status: null, displayName: ana.username });
});

test('nobody sees a status after it has expired', async () => {
  const [ana, ben] = await pair();
  const sql = postgres(parley.database.url, { max: 1 });
  onTestFinished(() => sql.end());
  await mustCall(ana, 'PATCH', '/v1/users/me', { status: { text: 'Back soon', expiresAt: inAnHour() } });
  expect((await mustCall(ben, 'GET', `/v1/users/${ana.id}`)).status).not.toBeNull();
  await sql`update users set status_expires_at = now() - interval '1 second' where id = ${ana.id}`;
  expect((await mustCall(ben, 'GET', `/v1/users/${ana.id}`)).status).toBeNull();
  expect((await mustCall(ana, 'GET', '/v1/users/me')).status).toBeNull();
  const login = { login: ana.username, password: ana.password };
  const { body } = await callApi(parley.url, 'POST', '/v1/auth/login', login);
  expect(body.user).toMatchObject({ status: null });
});

test('a blocked user does not see the status', async () => {
  const [ana, ben] = await pair();
  await mustCall(ana, 'PATCH', '/v1/users/me', { status: { emoji: '🏖️' } });
  await mustCall(ana, 'PUT', `/v1/users/me/blocks/${ben.id}`);
  expect((await mustCall(ben, 'GET', `/v1/users/${ana.id}`)).status).toBeNull();
  await mustCall(ana, 'DELETE', `/v1/users/me/blocks/${ben.id}`);
  expect((await mustCall(ben, 'GET', `/v1/users/${ana.id}`)).status).toMatchObject({ emoji: '🏖️' });
});

test('whether an account is invisible is known to its owner alone, and in the export', async () => {
  const [ana, ben] = await pair();
  const status = { emoji: null, text: 'Thinking', expiresAt: null };
  expect(await mustCall(ana, 'PATCH', '/v1/users/me', { invisible: true, status })).toMatchObject({ invisible: true });
  expect(await mustCall(ana, 'GET', '/v1/users/me')).toMatchObject({ invisible: true, status });
  expect(await mustCall(ben, 'GET', `/v1/users/${ana.id}`)).not.toHaveProperty('invisible');
  expect(await mustCall(ana, 'PATCH', '/v1/users/me', { invisible: false })).toMatchObject({
    invisible: false,
    status,
  });
  expect((await ana.call('PATCH', '/v1/users/me', { invisible: 'yes' })).status).toBe(400);
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { mailTo } from '../harness/mailbox.ts';
import { useSharedParley } from '../harness/shared-parley.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, mustCall, signUp, type TestUser } from '../harness/test-client.ts';
import { headerOf, type MailReceiver, startMailReceiver, textOf } from './mail-receiver.ts';

let receiver: MailReceiver;
let parley: Single;

beforeAll(async () => {
  receiver = await startMailReceiver();
  // As relays do that want a host's own name.
  receiver.onSender = (client) => (client === 'chat.example.org' ? 'ok' : 550);
  parley = await startSingle({
    SMTP_URL: receiver.url,
    PUBLIC_URL: 'https://chat.example.org',
    PARLEY_NOTIFICATIONS_EMAIL_DELAY: '1s',
    PARLEY_NOTIFICATIONS_EMAIL_INTERVAL: '1h',
    PARLEY_JOBS_POLL_INTERVAL: '100ms',
  });
});
afterAll(async () => {
  await parley.end();
  await receiver.stop();
});

const mailsTo = ({ email }: TestUser) => receiver.mails.filter(({ to }) => to === email);

async function mailWith(user: TestUser, text: string): Promise<string> {
  await expect.poll(() => mailsTo(user).some((mail) => textOf(mail).includes(text))).toBe(true);
  return textOf(mailsTo(user).find((mail) => textOf(mail).includes(text))!);
}

/** Signs up and follows the link of the verification mail. */
async function verified(): Promise<TestUser> {
  const user = await signUp(parley.url);
  const token = /verify-email\?token=([\w-]+)/.exec(await mailWith(user, 'verify-email'))![1];
  expect((await callApi(parley.url, 'POST', '/v1/auth/verify-email', { token })).status).toBeLessThan(300);
  return user;
}

async function roomOf(ana: TestUser, ben: TestUser, name: string): Promise<string> {
  const room = await mustCall(ana, 'POST', '/v1/rooms', { name, visibility: 'private', memberIds: [ben.id] });
  return room.id as string;
}

const say = (user: TestUser, roomId: string, text: string) =>
  mustCall(user, 'POST', `/v1/rooms/${roomId}/messages`, { clientId: text, text });

test('from the verification mail to the unread mail to the end of it', async () => {
  const [ana, ben] = await Promise.all([verified(), verified()]);
  const roomId = await roomOf(ana, ben, 'garden');
  await say(ana, roomId, 'the roses bloom');
  await mailWith(ben, 'the roses bloom');
  const mail = mailsTo(ben).at(-1)!;
  expect(textOf(mail)).toContain(`https://chat.example.org/#/rooms/${roomId}`);

  const link = new URL(/<(.*)>/.exec(headerOf(mail, 'List-Unsubscribe')!)![1]!);
  const path = link.pathname + link.search;
  const asked = await callApi(parley.url, 'GET', path);
  expect(asked.status).toBe(200);
  expect(asked.headers.get('content-type')).toContain('text/html');
  expect((await mustCall(ben, 'GET', '/v1/users/me/notifications')).email).toMatchObject({ enabled: true });
  // As a mail program does it: RFC 8058 §3.2.
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  for (let index = 0; index < 2; index++) {
    expect((await callApi(parley.url, 'POST', path, 'List-Unsubscribe=One-Click', form)).status).toBe(200);
  }
  expect((await mustCall(ben, 'GET', '/v1/users/me/notifications')).email).toMatchObject({ enabled: false });
  expect((await callApi(parley.url, 'POST', '/v1/unsubscribe?token=wrong', '', form)).status).toBe(404);
  expect((await callApi(parley.url, 'POST', '/v1/unsubscribe', '', form)).status).toBe(400);
});

test('what is read in time is not mailed, what is not is mailed to the others', async () => {
  const [ana, ben, cem] = await Promise.all([verified(), verified(), verified()]);
  const room = await mustCall(ana, 'POST', '/v1/rooms', {
    name: 'tea',
    visibility: 'private',
    memberIds: [ben.id, cem.id],
  });
  const message = await say(ana, room.id as string, 'tea is ready');
  await mustCall(ben, 'PUT', `/v1/rooms/${room.id as string}/read`, { seq: message.seq });
  await mailWith(cem, 'tea is ready');
  expect(mailsTo(ben).filter((mail) => textOf(mail).includes('tea'))).toEqual([]);
});

test('notification settings are kept as they were given, and odd ones are refused by field', async () => {
  const ana = await signUp(parley.url);
  const path = '/v1/users/me/notifications';
  expect(await mustCall(ana, 'GET', path)).toEqual({
    email: { enabled: true, digest: 'off' },
    push: { enabled: true },
  });
  const chosen = {
    email: {
      enabled: true,
      delay: '2h',
      digest: 'daily',
      quietHours: { from: '22:00', to: '07:00', timeZone: 'Europe/Berlin' },
    },
    push: { enabled: false },
  };
  expect(await mustCall(ana, 'PUT', path, chosen)).toEqual(chosen);
  expect(await mustCall(ana, 'GET', path)).toEqual(chosen);

  const refused = async (body: unknown) => {
    const answer = await ana.call('PUT', path, body);
    return [answer.status, answer.body.code, (answer.body.errors as { path: string }[])[0]!.path];
  };
  const hours = { from: '22:00', to: '07:00', timeZone: 'Europe/Berlin' };
  expect(await refused({ email: { enabled: 'yes' } })).toEqual([400, 'invalid', '/email/enabled']);
  expect(await refused({ email: { enabled: true, quietHours: { ...hours, timeZone: 'Moon/Base' } } })).toEqual([
    400,
    'invalid',
    '/email/quietHours/timeZone',
  ]);
  expect(await refused({ email: { enabled: true, quietHours: { ...hours, from: '24:00' } } })).toEqual([
    400,
    'invalid',
    '/email/quietHours/from',
  ]);
  expect(await refused({ email: { enabled: true, quietHours: { ...hours, to: '22:00' } } })).toEqual([
    400,
    'invalid',
    '/email/quietHours/to',
  ]);
  expect(await refused({ email: { enabled: true, delay: '99d' } })).toEqual([400, 'invalid', '/email/delay']);
  expect(await refused({ email: { enabled: true }, sms: true })).toEqual([400, 'invalid', '/sms']);
  expect(await mustCall(ana, 'GET', path)).toEqual(chosen);
  expect((await callApi(parley.url, 'GET', path)).status).toBe(401);
});

test('a member chooses what to hear of a room; nobody else learns that it exists', async () => {
  const [ana, ben, eve] = await Promise.all([signUp(parley.url), signUp(parley.url), signUp(parley.url)]);
  const path = `/v1/rooms/${await roomOf(ana, ben, 'attic')}/notifications`;
  expect(await mustCall(ben, 'GET', path)).toEqual({ level: 'all', mutedUntil: null });
  const muted = { level: 'mentions', mutedUntil: '2031-01-01T00:00:00.000Z' };
  expect(await mustCall(ben, 'PUT', path, muted)).toEqual(muted);
  expect(await mustCall(ben, 'GET', path)).toEqual(muted);
  expect(await mustCall(ana, 'GET', path)).toEqual({ level: 'all', mutedUntil: null });
  expect((await eve.call('PUT', path, { level: 'none' })).status).toBe(404);
  expect((await ben.call('PUT', path, { level: 'loud' })).status).toBe(400);
  expect((await ben.call('PUT', path, { level: 'all', mutedUntil: 'tomorrow' })).status).toBe(400);
});

test('without an SMTP server mails show in the development mailbox, and nowhere in production', async () => {
  const [home, production] = await Promise.all([useSharedParley(), startSingle({ PARLEY_ENVIRONMENT: 'production' })]);
  const ana = await signUp(home.url);
  expect(await mailTo(home.url, ana.email, /./)).toMatchObject({ subject: 'Confirm your e-mail address' });
  const page = await callApi(home.url, 'GET', '/dev/mailbox');
  expect(page.headers.get('content-type')).toContain('text/html');
  expect(String(page.body.text)).toMatch(/<a href="http:\/\/[^"]*verify-email\?token=[\w-]{43}">/);
  expect((await callApi(production.url, 'GET', '/dev/mailbox')).status).toBe(404);
  expect((await callApi(production.url, 'GET', '/dev/mailbox.json')).status).toBe(404);
  await production.end();
});

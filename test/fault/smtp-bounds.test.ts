/** A slow SMTP server: conversations are bounded in number and time, and every mail arrives exactly once. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { metricOf } from '../harness/metric.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { signUp } from '../harness/test-client.ts';
import { type MailReceiver, startMailReceiver } from '../jobs/mail-receiver.ts';

let receiver: MailReceiver;
let parley: Single;

beforeAll(async () => {
  receiver = await startMailReceiver();
  parley = await startSingle({
    SMTP_URL: receiver.url,
    PARLEY_SMTP_TIMEOUT: '60s',
    PARLEY_SMTP_DEADLINE: '4s',
    PARLEY_SMTP_FAILURES_TO_OPEN: '1000',
    PARLEY_SMTP_RETRY_PAUSE: '10ms',
    PARLEY_NOTIFICATIONS_EMAIL_CONCURRENCY: '2',
    PARLEY_JOBS_POLL_INTERVAL: '50ms',
  });
});
afterAll(async () => {
  await parley.end();
  await receiver.stop();
});

test('at most the bound of mails are being sent at once', async () => {
  let under = 0;
  let most = 0;
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  receiver.onRecipient = async () => {
    most = Math.max(most, ++under);
    await released;
    under -= 1;
    return 'ok' as const;
  };
  const people = await Promise.all(Array.from({ length: 6 }, () => signUp(parley.url)));
  await expect.poll(() => under).toBe(2);
  release();
  await expect.poll(() => receiver.mails.length).toBe(6);
  expect(most).toBe(2);
  expect(receiver.mails.map(({ to }) => to).toSorted()).toEqual(people.map(({ email }) => email).toSorted());
});

test('a conversation without end is cut at its deadline, and the mail is sent later', async () => {
  const ended = () => metricOf(parley.url, 'parley_mail_attempts_total', { outcome: 'unavailable' });
  const before = await ended();
  let asked = 0;
  receiver.onRecipient = () => {
    asked += 1;
    return new Promise(() => {});
  };
  const { email } = await signUp(parley.url);
  await expect.poll(() => asked).toBe(1);
  receiver.onRecipient = () => 'ok';
  // Long before the stage's own timeout of a minute.
  await expect.poll(ended).toBe(before + 1);
  await expect.poll(() => receiver.mails.filter(({ to }) => to === email).length).toBe(1);
});

/** The breaker before the SMTP server, with a real server behind a network that fails. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ProxyMode, startTcpProxy, type TcpProxy } from '../chaos/tcp-proxy.ts';
import { metricOf } from '../harness/metric.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { signUp, type TestUser } from '../harness/test-client.ts';
import { type MailReceiver, startMailReceiver } from '../jobs/mail-receiver.ts';

let receiver: MailReceiver;
let proxy: TcpProxy;
let parley: Single;

beforeAll(async () => {
  receiver = await startMailReceiver();
  proxy = await startTcpProxy(() => [Number(new URL(receiver.url).port)]);
  parley = await startSingle({
    SMTP_URL: `smtp://127.0.0.1:${proxy.port}`,
    PARLEY_SMTP_TIMEOUT: '500ms',
    PARLEY_SMTP_FAILURES_TO_OPEN: '3',
    PARLEY_SMTP_PROBE_PAUSE_MAX: '3s',
    PARLEY_SMTP_RETRY_PAUSE: '10ms',
    PARLEY_SMTP_SESSION_IDLE: '1ms',
    PARLEY_NOTIFICATIONS_EMAIL_CONCURRENCY: '1',
    PARLEY_JOBS_POLL_INTERVAL: '50ms',
  });
});
afterAll(async () => {
  await parley.end();
  await proxy.stop();
  await receiver.stop();
});

const breaker = () => metricOf(parley.url, 'parley_smtp_breaker_open');
const failed = () => metricOf(parley.url, 'parley_mail_attempts_total', { outcome: 'unavailable' });
const mailsTo = ({ email }: TestUser) => receiver.mails.filter(({ to }) => to === email).length;

test.each<[string, ProxyMode]>([
  ['cut', 'cut'],
  ['silent', 'swallow'],
])(
  'a server that is %s is left alone but for probes, and when it is back every mail goes out once',
  async (_, mode) => {
    const before = await signUp(parley.url);
    await expect.poll(() => mailsTo(before)).toBe(1);
    expect(await breaker()).toBe(0);
    const failedBefore = await failed();

    proxy.become(mode);
    const people = [await signUp(parley.url), await signUp(parley.url), await signUp(parley.url)];
    await expect.poll(breaker).toBe(1);
    const failures = await failed();
    expect(failures - failedBefore).toBe(3);
    // While it is open mails stay owed and none is tried, however many come. The count at the end shows it.
    for (let n = 0; n < 5; n++) people.push(await signUp(parley.url));
    proxy.become('pass');
    await expect.poll(breaker).toBe(0);
    for (const person of people) await expect.poll(() => mailsTo(person)).toBe(1);
    expect(people.map(mailsTo)).toEqual(people.map(() => 1));
    expect(await failed()).toBe(failures);
  },
);

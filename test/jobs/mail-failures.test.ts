import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ringOverdue } from '../../src/jobs/mail/mail-sweep.ts';
import { openSmtpConnection, parseSmtpUrl } from '../../src/jobs/smtp/smtp-conversation.ts';
import { freePort } from '../harness/ports.ts';
import { headerOf, type MailReceiver, startMailReceiver, textOf } from './mail-receiver.ts';
import { createTown, openOffice, type TestOffice, type Town } from './mail-town.ts';

let town: Town;
let receiver: MailReceiver;
let office: TestOffice;
const quick = { PARLEY_SMTP_RETRY_PAUSE: '1ms', PARLEY_SMTP_RETRY_PAUSE_MAX: '1ms', PARLEY_SMTP_TIMEOUT: '1s' };
const offices: TestOffice[] = [];

async function open(settings: Readonly<Record<string, string>> = {}): Promise<TestOffice> {
  const opened = await openOffice(town, { SMTP_URL: receiver.url, ...quick, ...settings });
  offices.push(opened);
  return opened;
}

beforeAll(async () => {
  town = await createTown();
});
afterAll(() => town.close());
beforeEach(async () => {
  await town.sql`delete from graphile_worker._private_jobs`;
  receiver = await startMailReceiver();
  office = await open();
});
afterEach(async () => {
  for (const { mailer } of offices.splice(0)) mailer.stop();
  await receiver.stop();
});

/** A message that ben has not read, and the mail that is owed for it. */
async function owed(): Promise<{ ana: string; ben: string; room: string; mailId: string }> {
  const [ana, ben] = [await town.person('ana'), await town.person('ben')];
  const room = await town.room('garden', [ana, ben]);
  await town.say(room, ana, 'hello');
  await office.tasks.room_unread({ roomId: room });
  const [mail] = await town.mails(ben);
  return { ana, ben, room, mailId: mail!.id };
}

const rowOf = async (userId: string) => (await town.mails(userId))[0]!;
/** Makes an owed mail due now: what its pause or interval would do in time. */
const makeDue = (mailId: string) =>
  town.sql`update mails set due_at = clock_timestamp() where id = ${mailId} and state = 'owed'`;
const bury = (workerId: string) => town.sql`delete from job_workers where id = ${workerId}`;

test('a receiver that is put off is tried again, with the same Message-ID, and gets one mail', async () => {
  const { ben, mailId } = await owed();
  receiver.onRecipient = () => 451;
  await office.tasks.unread_mail({ mailId });
  expect(await rowOf(ben)).toMatchObject({ state: 'owed', attempts: 1, handed: false });
  await makeDue(mailId);
  receiver.onRecipient = () => 'ok';
  await office.tasks.unread_mail({ mailId });
  expect(await rowOf(ben)).toMatchObject({ state: 'sent', attempts: 1 });
  expect(receiver.mails.map((mail) => headerOf(mail, 'Message-ID'))).toEqual([`<${mailId}@chat.example.org>`]);
});

test('a 4xx to the final dot is a definite no: the mail is sent later', async () => {
  const { ben, mailId } = await owed();
  receiver.onMessage = () => 450;
  await office.tasks.unread_mail({ mailId });
  expect(await rowOf(ben)).toMatchObject({ state: 'owed', attempts: 1, handed: false });
  await makeDue(mailId);
  receiver.onMessage = () => 'ok';
  await office.tasks.unread_mail({ mailId });
  expect(receiver.mails).toHaveLength(1);
});

test('a mail read while it was put off is not sent any more', async () => {
  const { ben, room, mailId } = await owed();
  receiver.onRecipient = () => 451;
  await office.tasks.unread_mail({ mailId });
  await town.read(room, ben, 99);
  await makeDue(mailId);
  receiver.onRecipient = () => 'ok';
  await office.tasks.unread_mail({ mailId });
  expect((await rowOf(ben)).state).toBe('cancelled');
  expect(receiver.mails).toEqual([]);
});

test('a mail put off too often is given up, and its messages are not mailed again', async () => {
  const patient = await open({ PARLEY_NOTIFICATIONS_EMAIL_ATTEMPTS_MAX: '2' });
  const { ben, room, mailId } = await owed();
  receiver.onRecipient = () => 451;
  await patient.tasks.unread_mail({ mailId });
  await makeDue(mailId);
  await patient.tasks.unread_mail({ mailId });
  expect((await rowOf(ben)).state).toBe('failed');
  await office.tasks.room_unread({ roomId: room });
  expect(await town.mails(ben)).toHaveLength(1);
});

test('an address that is refused for good is not written to after the third time', async () => {
  const { ana, ben, room, mailId } = await owed();
  receiver.onRecipient = () => 550;
  await office.tasks.unread_mail({ mailId });
  expect((await rowOf(ben)).state).toBe('failed');
  for (const text of ['again', 'and again']) {
    await town.say(room, ana, text);
    await office.work(room);
  }
  expect((await town.mails(ben)).map(({ state }) => state)).toEqual(['failed', 'failed', 'failed']);
  await town.say(room, ana, 'in vain');
  await office.work(room);
  expect(await town.mails(ben)).toHaveLength(3);

  // An address that is confirmed again gets mails again.
  await town.sql`update users set email_verified_at = clock_timestamp() where id = ${ben}`;
  receiver.onRecipient = () => 'ok';
  await office.work(room);
  expect(receiver.mails).toHaveLength(1);
  expect(textOf(receiver.mails[0]!)).toContain('in vain');
});

test('a refused sender fails the mail but does not count against the receiver', async () => {
  const { ben, mailId } = await owed();
  receiver.onSender = () => 550;
  await office.tasks.unread_mail({ mailId });
  expect((await rowOf(ben)).state).toBe('failed');
  expect(await town.sql`select 1 from mail_suppressions where user_id = ${ben}`).toHaveLength(0);
});

test('a connection cut after the final dot leaves the mail maybe sent, and it is never sent again', async () => {
  const { ben, room, mailId } = await owed();
  receiver.onMessage = () => 'cut';
  await office.tasks.unread_mail({ mailId });
  expect(await rowOf(ben)).toMatchObject({ state: 'maybe_sent', handed: true });
  receiver.onMessage = () => 'ok';
  await office.tasks.unread_mail({ mailId });
  await office.work(room);
  expect(receiver.mails).toHaveLength(1);
  expect(await town.mails(ben)).toHaveLength(1);
});

test('a connection cut before the final dot leaves the mail owed, without an attempt counted', async () => {
  const { ben, mailId } = await owed();
  receiver.onRecipient = () => 'cut';
  await office.tasks.unread_mail({ mailId });
  expect(await rowOf(ben)).toMatchObject({ state: 'owed', attempts: 0, handed: false });
  await makeDue(mailId);
  receiver.onRecipient = () => 'ok';
  await office.tasks.unread_mail({ mailId });
  expect(receiver.mails).toHaveLength(1);
});

test('without the final dot nothing is delivered, although all of the message was', async () => {
  const deadline = AbortSignal.timeout(5000);
  const session = await openSmtpConnection(
    parseSmtpUrl(receiver.url, { stageTimeoutMs: 1000, clientName: 'chat.example.org' }),
    deadline,
  );
  let asked = 0;
  const outcome = await session.send(
    { from: 'a@example.org', to: 'b@example.org' },
    Buffer.from('Subject: x\r\n\r\nbody\r\n'),
    async () => {
      asked++;
      return false;
    },
    deadline,
  );
  expect(outcome.kind).toBe('withdrawn');
  expect(asked).toBe(1);
  expect(session.isOpen()).toBe(false);
  await expect.poll(() => receiver.unfinished()).toBe(1);
  expect(receiver.mails).toEqual([]);
});

test('a server that stops answering is left after the stage timeout', async () => {
  const { ben, mailId } = await owed();
  receiver.onRecipient = () => new Promise(() => {});
  await office.tasks.unread_mail({ mailId });
  expect(await rowOf(ben)).toMatchObject({ state: 'owed', attempts: 0 });
});

test('an outage holds mails without using up attempts, and they go out when the server is back', async () => {
  const port = await freePort();
  const away = await open({
    SMTP_URL: `smtp://127.0.0.1:${port}`,
    PARLEY_SMTP_FAILURES_TO_OPEN: '2',
    PARLEY_SMTP_PROBE_PAUSE_MAX: '50ms',
  });
  const first = await owed();
  const second = await owed();
  for (const { mailId } of [first, second]) await away.tasks.unread_mail({ mailId });
  expect(away.mailer.ready()).toBe(false);
  for (const { mailId } of [first, second]) {
    await makeDue(mailId);
    await away.tasks.unread_mail({ mailId });
  }
  expect([await rowOf(first.ben), await rowOf(second.ben)]).toMatchObject([
    { state: 'owed', attempts: 0 },
    { state: 'owed', attempts: 0 },
  ]);

  const back = await startMailReceiver(port);
  await expect.poll(() => away.mailer.ready()).toBe(true);
  for (const { mailId } of [first, second]) await away.tasks.unread_mail({ mailId });
  away.mailer.stop();
  await back.stop();
  expect(back.mails).toHaveLength(2);
});

test('an overdue mail without a job is rung for, once', async () => {
  const { mailId } = await owed();
  await town.sql`delete from graphile_worker._private_jobs`;
  await town.sql`update mails set due_at = now() - interval '1 minute' where id = ${mailId}`;
  const ours = async () => (await town.jobs()).filter(({ payload }) => payload.mailId === mailId);
  await ringOverdue(town.db, 0);
  await ringOverdue(town.db, 0);
  expect(await ours()).toHaveLength(1);
  await office.runMails();
  expect(receiver.mails.filter((mail) => headerOf(mail, 'Message-ID')?.includes(mailId))).toHaveLength(1);
});

test('a mail claimed by a worker that died before the final dot is sent by another', async () => {
  const { ben, mailId } = await owed();
  await town.db.transaction(async (tx) => {
    await office.ledger.lock(tx, mailId);
    await office.ledger.claim(tx, mailId, { covers: [], unsubscribeHash: null });
  });
  const other = await open();
  expect(await other.ledger.recover(60_000, 600_000)).toBe(0);
  await bury(office.workerId);
  expect(await other.ledger.recover(60_000, 600_000)).toBe(1);
  expect((await rowOf(ben)).state).toBe('owed');
  await other.runMails();
  expect(receiver.mails).toHaveLength(1);
});

test('a mail whose worker died after the final dot may have been sent and is not sent again', async () => {
  const { ben, room, mailId } = await owed();
  const other = await open();
  receiver.onMessage = async () => {
    await bury(office.workerId);
    await other.ledger.recover(60_000, 600_000);
    return 'ok' as const;
  };
  await office.tasks.unread_mail({ mailId });
  expect((await rowOf(ben)).state).toBe('maybe_sent');
  await other.work(room);
  expect(receiver.mails).toHaveLength(1);
});

test('a worker taken for dead that wakes up does not send what another one has sent', async () => {
  const { ben, mailId } = await owed();
  const other = await open();
  let taken = false;
  receiver.onRecipient = async () => {
    if (taken) return 'ok' as const;
    taken = true;
    // The first worker is held here, in the middle of its conversation.
    await bury(office.workerId);
    await other.ledger.recover(60_000, 600_000);
    await other.tasks.unread_mail({ mailId });
    return 'ok' as const;
  };
  await office.tasks.unread_mail({ mailId });
  expect((await rowOf(ben)).state).toBe('sent');
  await expect.poll(() => receiver.unfinished()).toBe(1);
  expect(receiver.mails).toHaveLength(1);
});

test('a person erased while the mail is on its way gets none', async () => {
  const { ben, mailId } = await owed();
  receiver.onRecipient = async () => {
    await town.sql`delete from mails where user_id = ${ben}`;
    return 'ok' as const;
  };
  await office.tasks.unread_mail({ mailId });
  expect(receiver.mails).toEqual([]);
});

import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type AccountTemplate, oweAccountMail } from '../../src/jobs/mail/account-mail.ts';
import { tidyMails } from '../../src/jobs/mail/mail-sweep.ts';
import { headerOf, type MailReceiver, startMailReceiver, textOf } from './mail-receiver.ts';
import { createTown, openOffice, type TestOffice, type Town } from './mail-town.ts';

let town: Town;
let receiver: MailReceiver;
let office: TestOffice;

beforeAll(async () => {
  town = await createTown();
});
afterAll(() => town.close());
beforeEach(async () => {
  await town.sql`delete from graphile_worker._private_jobs`;
  receiver = await startMailReceiver();
  office = await openOffice(town, {
    SMTP_URL: receiver.url,
    PARLEY_SMTP_RETRY_PAUSE: '1ms',
    PARLEY_SMTP_RETRY_PAUSE_MAX: '1ms',
  });
});
afterEach(async () => {
  office.mailer.stop();
  await receiver.stop();
});

async function newcomer(): Promise<{ userId: string; to: string }> {
  const userId = await town.person('ana');
  const [row] = await town.sql<
    { email: string }[]
  >`update users set email_verified_at = null where id = ${userId} returning email`;
  return { userId, to: row!.email };
}

const owe = (person: { userId: string; to: string }, kind: AccountTemplate) =>
  town.db.transaction((tx) => oweAccountMail(tx, { ...person, kind }));
const tokensOf = (userId: string) => town.sql<{ hash: Buffer; purpose: string; data: { email: string } }[]>`
  select hash, purpose, data from one_time_tokens where user_id = ${userId}`;

test.each([
  ['verify', 'verify_email', 'verify-email'],
  ['verify_again', 'verify_email', 'verify-email'],
  ['reset', 'reset_password', 'reset-password'],
] as const)('a %s mail carries a link whose token is nowhere else in plain text', async (kind, purpose, page) => {
  const person = await newcomer();
  await owe(person, kind);
  expect(await tokensOf(person.userId)).toEqual([]);
  expect(JSON.stringify(await town.jobs())).not.toContain(person.to);
  await office.runMails();

  expect(receiver.mails.map(({ to }) => to)).toEqual([person.to]);
  expect(headerOf(receiver.mails[0]!, 'List-Unsubscribe')).toBeUndefined();
  const link = new RegExp(`https://chat\\.example\\.org/#/${page}\\?token=([\\w-]{43})`).exec(
    textOf(receiver.mails[0]!),
  );
  const tokens = await tokensOf(person.userId);
  expect(tokens).toHaveLength(1);
  expect(tokens[0]).toMatchObject({ purpose, data: { email: person.to } });
  expect(tokens[0]!.hash.equals(createHash('sha256').update(link![1]!).digest())).toBe(true);
});

test('the owner of an address hears of a second registration, without a token', async () => {
  const userId = await town.person('ana');
  const [row] = await town.sql<{ email: string }[]>`select email from users where id = ${userId}`;
  await owe({ userId, to: row!.email }, 'already_registered');
  await office.runMails();
  expect(textOf(receiver.mails[0]!)).toContain('already belongs to your account');
  expect(await tokensOf(userId)).toEqual([]);
});

test('what was rolled back is never mailed', async () => {
  const person = await newcomer();
  const failing = town.db.transaction(async (tx) => {
    await oweAccountMail(tx, { ...person, kind: 'verify' });
    throw new Error('no registration after all');
  });
  await expect(failing).rejects.toThrow('no registration');
  expect(await town.mails(person.userId)).toEqual([]);
  expect(await town.jobs()).toEqual([]);
});

test.each([
  ['erased', (userId: string) => town.sql`update users set erased_at = now(), email = null where id = ${userId}`],
  [
    'at another address by now',
    (userId: string) => town.sql`update users set email = 'moved@example.org' where id = ${userId}`,
  ],
  ['verified already', (userId: string) => town.sql`update users set email_verified_at = now() where id = ${userId}`],
] as const)('a verification for somebody who is %s is not sent', async (_name, change) => {
  const person = await newcomer();
  await owe(person, 'verify');
  await change(person.userId);
  await office.runMails();
  expect((await town.mails(person.userId)).map(({ state }) => state)).toEqual(['cancelled']);
  expect(receiver.mails).toEqual([]);
});

test('nobody can have an address flooded: the sixth mail in an hour is dropped', async () => {
  const person = await newcomer();
  for (let index = 0; index < 7; index++) await owe(person, 'reset');
  await office.runMails();
  expect(receiver.mails).toHaveLength(5);
  expect((await town.mails(person.userId)).map(({ state }) => state).toSorted()).toEqual([
    'cancelled',
    'cancelled',
    'sent',
    'sent',
    'sent',
    'sent',
    'sent',
  ]);
});

test('an account mail that waited for a day is given up, and old mails are forgotten', async () => {
  const person = await newcomer();
  await owe(person, 'reset');
  await town.sql`update mails set created_at = now() - interval '25 hours' where user_id = ${person.userId}`;
  await tidyMails(town.db, 60_000);
  expect((await town.mails(person.userId)).map(({ state }) => state)).toEqual(['cancelled']);
  await town.sql`update mails set finished_at = now() - interval '2 minutes' where user_id = ${person.userId}`;
  await tidyMails(town.db, 60_000);
  expect(await town.mails(person.userId)).toEqual([]);
});

test('without an SMTP server mails go to the development mailbox, which keeps the newest', async () => {
  const home = await openOffice(town, { PARLEY_JOBS_MAILBOX_MAX: '2' });
  const people = [await newcomer(), await newcomer(), await newcomer()];
  for (const person of people) {
    await owe(person, 'verify');
    await home.runMails();
  }
  const kept = await town.sql<
    { recipient: string; headers: Record<string, string> }[]
  >`select recipient, headers from development_mailbox order by id`;
  expect(kept.map(({ recipient }) => recipient)).toEqual(people.slice(1).map(({ to }) => to));
  expect(kept[0]!.headers['Message-ID']).toMatch(/^<[0-9a-f-]{36}@chat\.example\.org>$/);
});

test('in production without an SMTP server mails wait for one', async () => {
  const production = await openOffice(town, { PARLEY_ENVIRONMENT: 'production' });
  const person = await newcomer();
  await owe(person, 'verify');
  await production.runMails();
  expect((await town.mails(person.userId)).map(({ state }) => state)).toEqual(['owed']);
});

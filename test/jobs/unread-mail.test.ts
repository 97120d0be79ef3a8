import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
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

async function pair(): Promise<{ ana: string; ben: string; room: string }> {
  const [ana, ben] = [await town.person('ana'), await town.person('ben')];
  return { ana, ben, room: await town.room('garden', [ana, ben]) };
}

const statesOf = async (userId: string) => (await town.mails(userId)).map(({ state }) => state);

test('what stays unread becomes one mail, with its text, links and one-click unsubscribing', async () => {
  const { ana, ben, room } = await pair();
  await town.say(room, ana, 'the <b>roses</b>\nbloom');
  await office.work(room);
  await office.work(room);

  expect(receiver.mails).toHaveLength(1);
  const [mail] = receiver.mails;
  const [row] = await town.mails(ben);
  expect(row!.state).toBe('sent');
  expect(mail!.to).toMatch(/^ben\d+@example\.org$/);
  expect(headerOf(mail!, 'Message-ID')).toBe(`<${row!.id}@chat.example.org>`);
  expect(headerOf(mail!, 'List-Unsubscribe')).toMatch(
    /^<https:\/\/chat\.example\.org\/v1\/unsubscribe\?token=[\w-]{43}>$/,
  );
  expect(headerOf(mail!, 'List-Unsubscribe-Post')).toBe('List-Unsubscribe=One-Click');
  expect(headerOf(mail!, 'Subject')).toBe('1 unread message in garden');
  expect(textOf(mail!)).toContain('ana: the <b>roses</b> bloom');
  expect(textOf(mail!)).toContain(`https://chat.example.org/#/rooms/${room}`);
  expect(mail!.source).toContain('&lt;b&gt;roses&lt;/b&gt;');
  expect(await statesOf(ana)).toEqual([]);
});

test('all unread rooms are in one mail, direct messages and mentions first', async () => {
  const { ana, ben, room } = await pair();
  const loud = await town.room('loud', [ana, ben]);
  const direct = await town.room('', [ana, ben], 'dm');
  await town.say(room, ana, 'in the garden');
  await town.say(loud, ana, 'hey ben', { mentions: [ben] });
  await town.say(direct, ana, 'psst', { agoMs: 1000 });
  await office.work(room);
  await office.work(loud);

  expect(receiver.mails).toHaveLength(1);
  const text = textOf(receiver.mails[0]!);
  expect(text.indexOf('psst')).toBeGreaterThan(0);
  expect(text.indexOf('hey ben')).toBeGreaterThan(text.indexOf('psst'));
  expect(text.indexOf('in the garden')).toBeGreaterThan(text.indexOf('hey ben'));
});

test('of a thread only mentions are mailed, and what is in the room too, unless it was read in the thread', async () => {
  const { ana, ben, room } = await pair();
  const [quiet, seen] = [crypto.randomUUID(), crypto.randomUUID()];
  await town.say(room, ana, 'among ourselves', { threadId: quiet });
  await office.work(room);
  expect(receiver.mails).toEqual([]);
  const seq = await town.say(room, ana, 'ben, I saw you read this', { threadId: seen, mentions: [ben] });
  await town.sql`insert into thread_follows (thread_id, user_id, room_id, last_read_seq) values (${seen}, ${ben}, ${room}, ${seq})`;
  await office.work(room);
  expect(receiver.mails).toEqual([]);
  await town.say(room, ana, 'ben, please', { threadId: seen, mentions: [ben] });
  await town.say(room, ana, 'and everybody', { threadId: quiet, alsoInRoom: true });
  await office.work(room);
  expect(receiver.mails).toHaveLength(1);
  const text = textOf(receiver.mails[0]!);
  expect(headerOf(receiver.mails[0]!, 'Subject')).toBe('2 unread messages, 1 mentions you');
  expect(text).toContain('ben, please');
  expect(text).toContain('and everybody');
  expect(text).not.toContain('among ourselves');
  expect(text).not.toContain('I saw you');
});

test('a message younger than the delay is looked at again when it is old enough', async () => {
  const { ana, ben, room } = await pair();
  await town.say(room, ana, 'just now', { agoMs: 0 });
  await office.tasks.room_unread({ roomId: room });
  expect(await statesOf(ben)).toEqual([]);
  const jobs = (await town.jobs()).filter(({ payload }) => payload.roomId === room);
  expect(jobs).toHaveLength(1);
  expect(jobs[0]!.in_ms).toBeGreaterThan(590_000);
  expect(jobs[0]!.in_ms).toBeLessThanOrEqual(600_000);
});

test('a room that senders asked to look at is looked at once more, and then left alone', async () => {
  const { ana, room } = await pair();
  await town.say(room, ana, 'old', { agoMs: 7_200_000 });
  await office.tasks.room_unread({ roomId: room });
  const again = () =>
    town.sql`delete from graphile_worker._private_jobs where payload ->> 'roomId' = ${room} returning key`;
  expect(await again()).toHaveLength(1);
  await office.tasks.room_unread({ roomId: room, again: true });
  expect(await again()).toHaveLength(0);
});

const changes: Record<
  string,
  (situation: { ana: string; ben: string; room: string; seq: number }) => Promise<unknown>
> = {
  'was read': ({ ben, room, seq }) => town.read(room, ben, seq),
  'was said before its reader joined': ({ ben, room, seq }) =>
    town.sql`update members set joined_seq = ${seq + 1} where room_id = ${room} and user_id = ${ben}`,
  'was deleted': ({ room, seq }) =>
    town.sql`update events set deleted_at = now(), text = '' where room_id = ${room} and seq = ${seq}`,
  'is in a room since left': ({ ben, room }) =>
    town.sql`delete from members where room_id = ${room} and user_id = ${ben}`,
  'is in a deleted room': ({ room }) => town.sql`update rooms set deleted_at = now() where id = ${room}`,
  'is in a muted room': ({ ben, room }) =>
    town.sql`insert into room_notifications values (${ben}, ${room}, 'all', now() + interval '1 hour')`,
  'is in a silenced room': ({ ben, room }) =>
    town.sql`insert into room_notifications values (${ben}, ${room}, 'none', null)`,
  'is no mention where only these count': ({ ben, room }) =>
    town.sql`insert into room_notifications values (${ben}, ${room}, 'mentions', null)`,
  'is by somebody blocked': ({ ana, ben }) =>
    town.sql`insert into blocks (user_id, blocked_id) values (${ben}, ${ana})`,
  'is for somebody banned': ({ ana, ben }) =>
    town.sql`insert into moderation_bans (id, user_id, created_by) values (gen_random_uuid(), ${ben}, ${ana})`,
  'is for somebody erased': ({ ben }) => town.sql`update users set erased_at = now() where id = ${ben}`,
  'is for an address no longer verified': ({ ben }) =>
    town.sql`update users set email_verified_at = null where id = ${ben}`,
  'is for somebody who wants no mail': ({ ben }) =>
    town.sql`insert into notification_settings (user_id, settings) values (${ben}, '{"email":{"enabled":false,"digest":"off"}}')`,
};

test.each(Object.keys(changes))('a message that %s when its mail is claimed is not mailed', async (name) => {
  const { ana, ben, room } = await pair();
  const seq = await town.say(room, ana, 'never mailed');
  await office.tasks.room_unread({ roomId: room });
  expect(await statesOf(ben)).toEqual(['owed']);
  await changes[name]!({ ana, ben, room, seq });
  await office.runMails();
  expect(await statesOf(ben)).toEqual(['cancelled']);
  expect(receiver.mails).toEqual([]);
});

test.each(Object.keys(changes))('nothing is owed for a message that %s before', async (name) => {
  const { ana, ben, room } = await pair();
  const seq = await town.say(room, ana, 'never owed');
  await changes[name]!({ ana, ben, room, seq });
  await office.work(room);
  expect(await statesOf(ben)).toEqual([]);
});

test('the mail carries the text as edited, to the address as changed, when it is claimed', async () => {
  const { ana, ben, room } = await pair();
  const seq = await town.say(room, ana, 'frist');
  await office.tasks.room_unread({ roomId: room });
  await town.sql`update events set text = 'first', edited_at = now() where room_id = ${room} and seq = ${seq}`;
  await town.sql`update users set email = 'moved@example.org' where id = ${ben}`;
  await office.runMails();
  expect(receiver.mails.map(({ to }) => to)).toEqual(['moved@example.org']);
  expect(textOf(receiver.mails[0]!)).toContain('first');
  expect(receiver.mails[0]!.source).not.toContain('frist');
});

test('what is said after a mail waits for the interval, and is not mailed with what was mailed', async () => {
  const { ana, ben, room } = await pair();
  await town.say(room, ana, 'one');
  await office.work(room);
  await town.say(room, ana, 'two');
  await office.work(room);
  const [, second] = await town.mails(ben);
  expect(second!.state).toBe('owed');
  expect(second!.due_in_ms).toBeGreaterThan(3_500_000);
  expect(second!.due_in_ms).toBeLessThanOrEqual(3_600_000);

  await town.sql`update mails set finished_at = now() - interval '1 hour' where user_id = ${ben} and state = 'sent'`;
  await town.sql`update mails set due_at = now() where user_id = ${ben} and state = 'owed'`;
  await office.tasks.unread_mail({ mailId: second!.id });
  expect(receiver.mails).toHaveLength(2);
  expect(textOf(receiver.mails[1]!)).toContain('two');
  expect(textOf(receiver.mails[1]!)).not.toContain('one');
});

test('a mail rung for too early stays owed', async () => {
  const { ana, ben, room } = await pair();
  await town.say(room, ana, 'one');
  await office.work(room);
  await town.say(room, ana, 'two');
  await office.work(room);
  const [, second] = await town.mails(ben);
  await office.tasks.unread_mail({ mailId: second!.id });
  // Even if the row says so: the interval counts from the mail before.
  await town.sql`update mails set due_at = now() where id = ${second!.id}`;
  await office.tasks.unread_mail({ mailId: second!.id });
  expect(receiver.mails).toHaveLength(1);
  expect((await town.mails(ben))[1]).toMatchObject({ state: 'owed' });
  expect((await town.mails(ben))[1]!.due_in_ms).toBeGreaterThan(3_500_000);
});

test('what is said while a mail goes out is owed the next one', async () => {
  const { ana, ben, room } = await pair();
  await town.say(room, ana, 'one');
  receiver.onMessage = async () => {
    await town.say(room, ana, 'meanwhile');
    await office.tasks.room_unread({ roomId: room });
    return 'ok' as const;
  };
  await office.work(room);
  expect(await statesOf(ben)).toEqual(['sent', 'owed']);
  expect(receiver.mails[0]!.source).not.toContain('meanwhile');
});

test('quiet hours hold a mail back until they end', async () => {
  const { ana, ben, room } = await pair();
  const hour = new Date().getUTCHours();
  const clock = (shift: number) => `${String((hour + shift + 24) % 24).padStart(2, '0')}:00`;
  const settings = {
    email: { enabled: true, digest: 'off', quietHours: { from: clock(-1), to: clock(2), timeZone: 'UTC' } },
  };
  await town.sql`insert into notification_settings (user_id, settings) values (${ben}, ${town.sql.json(settings)})`;
  await town.say(room, ana, 'hush');
  await office.work(room);
  const [mail] = await town.mails(ben);
  expect(mail!.state).toBe('owed');
  expect(mail!.due_in_ms).toBeGreaterThan(3_600_000 - 1000);
  expect(receiver.mails).toEqual([]);
});

test('two workers at once send one mail', async () => {
  const { ana, ben, room } = await pair();
  const other = await openOffice(town, { SMTP_URL: receiver.url });
  await town.say(room, ana, 'once');
  await Promise.all([office.tasks.room_unread({ roomId: room }), other.tasks.room_unread({ roomId: room })]);
  const [mail, ...more] = await town.mails(ben);
  expect(more).toEqual([]);
  await Promise.all([office, other, office, other].map(({ tasks }) => tasks.unread_mail({ mailId: mail!.id })));
  other.mailer.stop();
  expect(receiver.mails).toHaveLength(1);
  expect(await statesOf(ben)).toEqual(['sent']);
});

test('names and texts of people cannot add headers or receivers', async () => {
  const ana = await town.person('ana');
  const ben = await town.person('ben');
  const room = await town.room('x\r\nBcc: eve@example.org', [ana, ben]);
  await town.sql`update users set display_name = ${'a\r\nBcc: eve@example.org\u202e'} where id = ${ana}`;
  await town.say(room, ana, '\r\n.\r\nMAIL FROM:<eve@example.org>\r\n.\r\nlast');
  await office.work(room);
  expect(receiver.mails).toHaveLength(1);
  expect(headerOf(receiver.mails[0]!, 'Bcc')).toBeUndefined();
  expect(receiver.mails[0]!.to).toMatch(/^ben\d+@example\.org$/);
  expect(textOf(receiver.mails[0]!)).toContain('last');
});

/** Staff read a private room only after opening it: with a reason, recorded in the audit log, and announced to the owners. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';
import { borrowTown, openSquare, queueOf, report, type Square, say, type Town } from './moderation-town.ts';

let town: Town;
let admin: TestUser;
let moderator: TestUser;

beforeAll(async () => {
  town = await borrowTown();
  [admin, moderator] = [await town.hire('admin'), await town.hire('moderator')];
});
afterAll(() => town.end());

/** The paths of everything in a room that can be read. */
const readsOf = ({ roomId }: Square, messageId: string): string[] =>
  [
    '',
    '/members',
    '/messages',
    '/messages?before=100',
    '/events?after=0',
    `/messages/${messageId}`,
    `/messages/${messageId}/edits`,
    `/messages/${messageId}/replies`,
  ].map((rest) => `/v1/rooms/${roomId}${rest}`);

const readAll = (person: TestUser, paths: readonly string[]): Promise<Answer[]> =>
  Promise.all(paths.map((path) => person.call('GET', path)));
const open = (person: TestUser, order: Record<string, unknown>) => person.call('POST', '/v1/moderation/access', order);
const statuses = (answers: readonly Answer[]) => [...new Set(answers.map(({ status }) => status))];

test('for staff who have not opened a private room it does not exist, on every instance', async () => {
  const square = await openSquare(town.here);
  const { id } = await say(square.author, square.roomId, 'between us');
  const nowhere: Square = { ...square, roomId: randomUUID() };
  for (const person of [admin, moderator])
    for (const url of [town.here, town.there]) {
      const closed = await readAll(person.at(url), readsOf(square, id));
      const absent = await readAll(person.at(url), readsOf(nowhere, id));
      expect(closed.map(({ status, body }) => [status, body])).toEqual(
        absent.map(({ status, body }) => [status, body]),
      );
      expect(statuses(closed)).toEqual([404]);
    }
  const socket = await connect(town.there, admin);
  expect(await socket.ask({ type: 'room.open', roomId: square.roomId })).toMatchObject({ code: 'forbidden' });
  await socket.close();
});

test('opening a room lets only that member of staff read it, is in the audit log, and is announced to the owners', async () => {
  const square = await openSquare(town.here);
  const { roomId, owner, author } = square;
  const { id } = await say(author, roomId, 'between us');
  await mustCall(owner, 'PUT', `/v1/rooms/${roomId}/members/${author.id}`, { role: 'owner' });
  const owners = [await connect(town.here, owner), await connect(town.there, author)];
  const reader = await connect(town.there, square.reader);
  const reason = 'A complaint about threats';
  const opened = await open(admin.at(town.there), { roomId, reason, seconds: 600 });
  expect(opened).toMatchObject({ status: 201, body: { roomId, reason } });
  const { createdAt, expiresAt } = opened.body as unknown as { createdAt: string; expiresAt: string };
  expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(600_000);
  for (const url of [town.here, town.there])
    expect(statuses(await readAll(admin.at(url), readsOf(square, id)))).toEqual([200]);
  expect(statuses(await readAll(moderator, readsOf(square, id)))).toEqual([404]);
  expect((await admin.call('POST', `/v1/rooms/${roomId}/messages`, { clientId: 'x', text: 'hello' })).status).toBe(403);

  const notice = { type: 'notice', code: 'room_access', roomId, reason, expiresAt, by: admin.id };
  for (const socket of owners)
    expect(await socket.until(({ type, code }) => type === 'notice' && code === 'room_access')).toMatchObject(notice);
  const audit = (await mustCall(owner, 'GET', `/v1/moderation/audit?roomId=${roomId}`)).items!;
  expect(audit[0]).toMatchObject({
    action: 'room.access',
    actor: { id: admin.id },
    roomId,
    details: { reason, seconds: 600, expiresAt },
  });
  await say(owner, roomId, 'marker');
  await reader.until(({ type }) => type === 'message.created');
  expect(reader.frames.filter(({ type }) => type === 'notice')).toEqual([]);
  await Promise.all([...owners, reader].map((socket) => socket.close()));
});

test('staff access expires', async () => {
  const square = await openSquare(town.here);
  const { id } = await say(square.author, square.roomId, 'for a moment');
  expect((await open(moderator, { roomId: square.roomId, reason: 'a look', seconds: 8 })).status).toBe(201);
  expect((await moderator.call('GET', `/v1/rooms/${square.roomId}`)).status).toBe(200);
  await expect
    .poll(async () => statuses(await readAll(moderator, readsOf(square, id))), { interval: 500 })
    .toEqual([404]);
  expect(statuses(await readAll(moderator.at(town.there), readsOf(square, id)))).toEqual([404]);
});

test('only staff open rooms: with a reason, for a limited time, and never a direct message', async () => {
  const { roomId, owner, author } = await openSquare(town.here);
  const dm = (await mustCall(author, 'POST', '/v1/dms', { userIds: [owner.id] })).id;
  const order = { roomId, reason: 'a complaint', seconds: 60 };
  const attempts: [TestUser, Record<string, unknown>, number, string][] = [
    [owner, order, 403, 'forbidden'],
    [author, order, 403, 'forbidden'],
    [admin, { ...order, roomId: randomUUID() }, 404, 'not_found'],
    [admin, { ...order, roomId: dm }, 404, 'not_found'],
    [admin, { ...order, reason: ' \u200b ' }, 400, 'invalid'],
    [admin, { ...order, reason: 'two\nlines' }, 400, 'invalid'],
    [admin, { ...order, reason: 'x'.repeat(1001) }, 400, 'invalid'],
    [admin, { roomId, seconds: 60 }, 400, 'invalid'],
    [admin, { ...order, seconds: 0 }, 400, 'invalid'],
    [admin, { ...order, seconds: 3601 }, 400, 'invalid'],
    [admin, { ...order, seconds: 1e15 }, 400, 'invalid'],
  ];
  for (const [person, body, status, code] of attempts)
    expect(await open(person, body)).toMatchObject({ status, body: { code } });
  expect((await admin.call('GET', `/v1/rooms/${roomId}`)).status).toBe(404);
  expect((await mustCall(owner, 'GET', `/v1/moderation/audit?roomId=${roomId}`)).items).toEqual([]);
});

test('staff decide about reports with their context without opening the room, and every act is in the audit log', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  await say(reader, roomId, 'before it');
  const [first, second] = [await say(author, roomId, 'buy my things'), await say(author, roomId, 'and these')];
  const id = await report(reader, roomId, first.id);
  // A report by staff is recorded like any other.
  expect(await report(moderator, roomId, first.id, 'seen elsewhere')).toBe(id);
  const [entry] = await queueOf(moderator, `roomId=${roomId}`);
  expect(entry).toMatchObject({ id, message: { text: 'buy my things' } });
  expect(JSON.stringify(entry!.context)).toContain('before it');
  await mustCall(moderator, 'POST', `/v1/moderation/queue/${id}`, { decision: 'remove' });
  const acts = [
    await moderator.call('DELETE', `/v1/rooms/${roomId}/messages/${second.id}`),
    await moderator.call('PUT', `/v1/rooms/${roomId}/members/${author.id}/mute`, { seconds: 60 }),
    // An update that changes nothing still shows the room, so it is in the audit log too.
    await moderator.call('PATCH', `/v1/rooms/${roomId}`, { slowModeSeconds: 0 }),
    await moderator.call('DELETE', `/v1/rooms/${roomId}/members/${author.id}`),
  ];
  expect(acts.map(({ status }) => status)).toEqual([204, 200, 200, 204]);
  const audit = (await mustCall(owner, 'GET', `/v1/moderation/audit?roomId=${roomId}`)).items!;
  expect(audit.map(({ action }) => action)).toEqual([
    'member.remove',
    'room.update',
    'member.mute',
    'message.delete',
    'message.remove',
  ]);
  expect((await moderator.call('GET', `/v1/rooms/${roomId}/messages`)).status).toBe(404);
});

test('a dry run counts messages of private rooms and quotes them only to members', async () => {
  const { roomId, owner, author } = await openSquare(town.here);
  const word = `w${randomUUID().slice(0, 8)}`;
  await say(author, roomId, `a private ${word}`);
  const open = await createRoom([owner], { visibility: 'public' });
  await say(owner, open, `a public ${word}`);
  const rule = { kind: 'word', pattern: word, action: 'flag' };
  const dryRun = async (person: TestUser, scope: Record<string, unknown>) => {
    const { matched, examples } = await mustCall(person, 'POST', '/v1/moderation/rules?dryRun=true', {
      ...rule,
      ...scope,
    });
    return [matched, (examples as { text: string }[]).map(({ text }) => text)];
  };
  expect(await dryRun(admin, {})).toEqual([2, [`a public ${word}`]]);
  expect(await dryRun(admin, { roomId })).toEqual([1, []]);
  expect(await dryRun(owner, { roomId })).toEqual([1, [`a private ${word}`]]);
});

test('staff read public rooms like everybody, and rooms that they are members of', async () => {
  const [owner, reader] = [await signUp(town.here), await signUp(town.here)];
  const roomId = await createRoom([owner], { visibility: 'private', history: 'joined' });
  const { id } = await say(owner, roomId, 'said while it was private');
  await mustCall(owner, 'PATCH', `/v1/rooms/${roomId}`, { visibility: 'public' });
  const historyOf = async (person: TestUser) =>
    (await mustCall(person, 'GET', `/v1/rooms/${roomId}/messages`)).messages;
  expect(await historyOf(admin)).toEqual(await historyOf(reader));
  expect(await historyOf(admin)).toEqual([]);
  expect((await admin.call('GET', `/v1/rooms/${roomId}/messages/${id}`)).status).toBe(404);
  const own = await createRoom([owner, admin]);
  await say(owner, own, 'to a member');
  expect((await mustCall(admin, 'GET', `/v1/rooms/${own}/messages`)).messages).toHaveLength(1);
});

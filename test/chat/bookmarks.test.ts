import postgres from 'postgres';
import { beforeAll, expect, test } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: BorrowedFleet;
let sql: postgres.Sql;
let ana: TestUser;
let ben: TestUser;

beforeAll(async () => {
  fleet = await borrowFleet();
  sql = postgres(fleet.database.url, { max: 2, onnotice: () => {} });
  [ana, ben] = (await Promise.all([1, 2].map(() => signUp(here())))) as [TestUser, TestUser];
  return async () => {
    await sql.end();
    await fleet.end();
  };
});

const [here, there] = [() => fleet.chats[0]!.url, () => fleet.chats[1]!.url];

interface BookmarkBody {
  messageId: string;
  note: string;
  remindAt: string | null;
  reminded: boolean;
  gone: boolean;
  message: { text: string } | null;
}

const bookmarksOf = async (user: TestUser, query = '') =>
  (await mustCall(user, 'GET', `/v1/bookmarks${query}`)) as unknown as {
    items: BookmarkBody[];
    nextCursor: string | null;
  };

async function say(user: TestUser, room: string, text: string) {
  const { id } = await mustCall(user, 'POST', `/v1/rooms/${room}/messages`, { clientId: text, text });
  return `/v1/rooms/${room}/messages/${id as string}`;
}

const soon = (ms: number) => new Date(Date.now() + ms).toISOString();

test('a bookmark shows its message as of now, and says when it is gone', async () => {
  const cyd = await signUp(here());
  const room = await createRoom([ben, cyd]);
  const [edited, deleted, kept] = [await say(ben, room, 'a'), await say(ben, room, 'b'), await say(ben, room, 'c')];
  for (const path of [edited, deleted, kept]) await mustCall(cyd, 'PUT', `${path}/bookmark`, { note: 'read later' });
  await mustCall(ben, 'PATCH', edited, { text: 'changed' });
  await mustCall(ben, 'DELETE', deleted);
  const { items } = await bookmarksOf(cyd.at(there()));
  expect(items.map(({ gone, message }) => [gone, message?.text ?? null])).toEqual([
    [false, 'c'],
    [true, null],
    [false, 'changed'],
  ]);
  await mustCall(ben, 'DELETE', `/v1/rooms/${room}/members/${cyd.id}`);
  expect((await bookmarksOf(cyd)).items.map(({ gone, note }) => [gone, note])).toEqual([
    [true, 'read later'],
    [true, 'read later'],
    [true, 'read later'],
  ]);
  // What is gone can still be taken off the list.
  for (const path of [edited, deleted, kept, kept]) await mustCall(cyd, 'DELETE', `${path}/bookmark`);
  expect((await bookmarksOf(cyd)).items).toEqual([]);
  expect((await cyd.call('PUT', `${kept}/bookmark`, {})).status).toBe(404);
});

test('a message from before the user joined cannot be bookmarked where history begins with joining', async () => {
  const room = await createRoom([ben]);
  await mustCall(ben, 'PATCH', `/v1/rooms/${room}`, { history: 'joined' });
  const before = await say(ben, room, 'before');
  await mustCall(ben, 'PUT', `/v1/rooms/${room}/members/${ana.id}`);
  expect((await ana.call('PUT', `${before}/bookmark`, {})).status).toBe(404);
});

test('the list has pages, the newest first', async () => {
  const cyd = await signUp(here());
  const room = await createRoom([cyd]);
  for (const text of ['1', '2', '3', '4', '5'])
    await mustCall(cyd, 'PUT', `${await say(cyd, room, text)}/bookmark`, {});
  const texts: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = await bookmarksOf(cyd, `?limit=2${cursor && `&cursor=${cursor}`}`);
    texts.push(...page.items.map(({ message }) => message!.text));
    cursor = page.nextCursor;
  }
  expect(texts).toEqual(['5', '4', '3', '2', '1']);
});

test('a reminder reaches the devices on all instances once, and stays in the list', async () => {
  const room = await createRoom([ana]);
  const path = await say(ana, room, 'water the beans');
  const devices = [await connect(here(), ana), await connect(there(), ana)];
  const remindAt = soon(700);
  const kept = await mustCall(ana, 'PUT', `${path}/bookmark`, { note: 'both beds', remindAt });
  expect(kept).toMatchObject({ note: 'both beds', remindAt, reminded: false });
  for (const device of devices) {
    expect(await device.until(({ type }) => type === 'bookmark.reminder')).toEqual({
      type: 'bookmark.reminder',
      roomId: room,
      data: { messageId: kept.messageId, note: 'both beds', remindAt },
    });
  }
  const [listed] = (await bookmarksOf(ana)).items;
  expect(listed).toMatchObject({ messageId: kept.messageId, reminded: true });
  // The same request again is no new reminder; another time is one.
  expect(await mustCall(ana, 'PUT', `${path}/bookmark`, { note: 'both beds', remindAt })).toMatchObject({
    reminded: true,
  });
  await mustCall(ana, 'PUT', `${path}/bookmark`, { note: 'again', remindAt: soon(600) });
  for (const device of devices) {
    await device.until(({ type, data }) => type === 'bookmark.reminder' && (data as { note: string }).note === 'again');
    expect(device.frames.filter(({ type }) => type === 'bookmark.reminder')).toHaveLength(2);
  }
});

test('many reminders of one moment are each sent once by two instances', async () => {
  const cyd = await signUp(here());
  const room = await createRoom([cyd]);
  const device = await connect(there(), cyd);
  const remindAt = soon(1500);
  const paths = await Promise.all(Array.from({ length: 8 }, (_, at) => say(cyd, room, `m${at}`)));
  await Promise.all(paths.map((path) => mustCall(cyd, 'PUT', `${path}/bookmark`, { remindAt })));
  await expect.poll(() => device.frames.filter(({ type }) => type === 'bookmark.reminder').length).toBe(8);
  const ids = device.frames
    .filter(({ type }) => type === 'bookmark.reminder')
    .map(({ data }) => (data as { messageId: string }).messageId);
  expect(new Set(ids).size).toBe(8);
});

test('a reminder whose job was lost is found by the next look', async () => {
  const cyd = await signUp(here());
  const room = await createRoom([cyd]);
  const path = await say(cyd, room, 'lost job');
  const remindAt = soon(1000);
  await mustCall(cyd, 'PUT', `${path}/bookmark`, { remindAt });
  await sql`delete from graphile_worker._private_jobs where key = ${`bookmark-reminders:${remindAt}`}`;
  await expect.poll(async () => (await bookmarksOf(cyd)).items[0]?.reminded).toBe(true);
});

test('bad times, long notes and too many bookmarks are refused', async () => {
  const cyd = await signUp(here());
  const room = await createRoom([cyd]);
  const path = await say(cyd, room, 'x');
  const put = (body: object) => cyd.call('PUT', `${path}/bookmark`, body);
  expect(await put({ remindAt: soon(-1000) })).toMatchObject({
    status: 400,
    body: { errors: [{ path: '/remindAt' }] },
  });
  expect((await put({ remindAt: soon(800 * 86_400_000) })).status).toBe(400);
  expect((await put({ remindAt: 'tomorrow' })).status).toBe(400);
  expect(await put({ note: 'n'.repeat(501) })).toMatchObject({ status: 413, body: { code: 'too_large' } });
  const paths = await Promise.all(Array.from({ length: 12 }, (_, at) => say(cyd, room, `many ${at}`)));
  const answers = await Promise.all(paths.map((each) => cyd.call('PUT', `${each}/bookmark`, {})));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(10);
  expect(answers.filter(({ status }) => status === 409)).toHaveLength(2);
});

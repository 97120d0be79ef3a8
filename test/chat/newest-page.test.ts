/**
 * The newest page of a room comes from one of three sources: one statement if the instance does not follow the room, the
 * feed if it does, or cached bytes. Readers must not notice which.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: BorrowedFleet;
let [first, second]: string[] = [];
let [ana, ben, eve]: TestUser[] = [];

beforeAll(async () => {
  // Rare checks, so that they cannot hide a page that was wrong at first.
  fleet = await borrowFleet('rare-checks');
  [first, second] = fleet.chats.map((chat) => chat.url);
  [ana, ben, eve] = await Promise.all([signUp(first!), signUp(first!), signUp(first!)]);
});
afterAll(() => fleet.end());

interface Page {
  readonly messages: { id: string; seq: number; text: string; replyCount: number; sender: { displayName: string } }[];
  readonly hasMore: boolean;
}

const page = async (user: TestUser, url: string, room: string, query = '') =>
  (await mustCall(user.at(url), 'GET', `/v1/rooms/${room}/messages${query}`)) as unknown as Page;

async function say(user: TestUser, room: string, text: string, replyTo?: string): Promise<string> {
  const draft = { clientId: crypto.randomUUID(), text, ...(replyTo === undefined ? {} : { replyTo }) };
  return (await mustCall(user, 'POST', `/v1/rooms/${room}/messages`, draft)).id as string;
}

test('a room with edits, replies and deletions has the same page on an instance that does not follow it', async () => {
  const room = await createRoom([ana!, ben!]);
  const asked = await say(
    ana!,
    room,
    'Quotes " and \\ and / and </script>, \ttabs,\nlines, \u2028 and \u007f, 😀 and é',
  );
  const edited = await say(ana!, room, 'before');
  await mustCall(ana!, 'PATCH', `/v1/rooms/${room}/messages/${edited}`, { text: `after, with @${ben!.username}` });
  const gone = await say(ben!, room, 'never mind');
  await say(ben!, room, 'the first answer', asked);
  const takenBack = await say(ben!, room, 'the second answer', asked);
  await say(ana!, room, 'an answer to what is gone', gone);
  for (const id of [gone, takenBack]) await mustCall(ben!, 'DELETE', `/v1/rooms/${room}/messages/${id}`);
  const unfollowed = await page(ben!, second!, room);
  const followed = await page(ben!, second!, room);
  const { messages } = await page(ben!, second!, room, '?before=1000');
  expect(unfollowed).toEqual(followed);
  expect(unfollowed).toMatchObject({ messages, hasMore: false, seq: expect.any(Number) });
  expect(unfollowed).toEqual(await page(ana!, first!, room));
  expect(messages.map(({ replyCount }) => replyCount)).toEqual([1, 0, 1, 0, 0, 0]);
  expect(messages[0]!.text).toContain('\u2028 and \u007f, 😀 and é');
});

test('a text may contain the separator of packed values', async () => {
  for (const text of ['one \u0001 sign', `six${'\u0001'.repeat(6)}`, '\u0002 and \u001f']) {
    const room = await createRoom([ana!, ben!]);
    await say(ana!, room, text);
    await say(ana!, room, 'plain');
    const unfollowed = await page(ben!, second!, room);
    expect(unfollowed.messages.map((each) => each.text)).toEqual([text, 'plain']);
    expect(unfollowed).toEqual(await page(ana!, first!, room));
  }
});

test('a page holds as many messages as its limit, and says whether there are more', async () => {
  const rooms = await Promise.all([1, 2, 3].map(() => createRoom([ana!])));
  for (const room of rooms) for (const text of ['one', 'two', 'three']) await say(ana!, room, text);
  const texts = ({ messages, hasMore }: Page) => [messages.map(({ text }) => text), hasMore];
  expect(texts(await page(ana!, second!, rooms[0]!, '?limit=2'))).toEqual([['two', 'three'], true]);
  expect(texts(await page(ana!, second!, rooms[1]!, '?limit=3'))).toEqual([['one', 'two', 'three'], false]);
  const empty = await createRoom([ana!]);
  expect(texts(await page(ana!, second!, empty))).toEqual([[], false]);
  // Requests for many rooms at once share one query.
  const all = await Promise.all(rooms.map((room) => page(ana!, second!, room, '?limit=1')));
  expect(all.map(texts)).toEqual(rooms.map(() => [['three'], true]));
});

test('if history begins with joining, so does the page', async () => {
  const room = await createRoom([ana!, ben!], { history: 'joined' });
  await say(ana!, room, 'among the first');
  await mustCall(ana!, 'PUT', `/v1/rooms/${room}/members/${eve!.id}`, {});
  await say(ana!, room, 'with everybody');
  const texts = async (user: TestUser) => (await page(user, second!, room)).messages.map(({ text }) => text);
  expect(await texts(eve!)).toEqual(['with everybody']);
  expect(await texts(ben!)).toEqual(['among the first', 'with everybody']);
  expect(await texts(eve!)).toEqual(['with everybody']);
});

test('users who are not members get no page, from the moment the removal is acked', async () => {
  const room = await createRoom([ana!, ben!]);
  await say(ana!, room, 'between us');
  const url = `/v1/rooms/${room}/messages`;
  expect((await eve!.at(second!).call('GET', url)).body.code).toBe('not_found');
  const other = await createRoom([ana!, ben!]);
  await mustCall(ana!, 'DELETE', `/v1/rooms/${other}/members/${ben!.id}`);
  expect((await ben!.at(second!).call('GET', `/v1/rooms/${other}/messages`)).body.code).toBe('not_found');
  // The same if the page is cached.
  expect((await page(ben!, second!, room)).messages).toHaveLength(1);
  expect((await page(ben!, second!, room)).messages).toHaveLength(1);
  await mustCall(ana!, 'DELETE', `/v1/rooms/${room}/members/${ben!.id}`);
  expect((await ben!.at(second!).call('GET', url)).body.code).toBe('not_found');
  await mustCall(ana!, 'DELETE', `/v1/rooms/${other}`);
  expect((await ana!.at(second!).call('GET', `/v1/rooms/${other}/messages`)).body.code).toBe('not_found');
});

test('a page includes messages that another instance acked before the request, cached or not', async () => {
  const room = await createRoom([ana!, ben!]);
  for (let count = 1; count <= 6; count++) {
    await say(ana!, room, `number ${count}`);
    expect((await page(ben!, second!, room)).messages).toHaveLength(count);
  }
});

test('a user who logged out on another instance gets no page, although this instance has it cached', async () => {
  const room = await createRoom([ana!, ben!]);
  const dan = await signUp(first!);
  await mustCall(ana!, 'PUT', `/v1/rooms/${room}/members/${dan.id}`, {});
  await say(ana!, room, 'here');
  for (let time = 0; time < 3; time++) expect((await page(dan, second!, room)).messages).toHaveLength(1);
  await mustCall(dan, 'POST', '/v1/auth/logout');
  expect((await dan.at(second!).call('GET', `/v1/rooms/${room}/messages`)).status).toBe(401);
});

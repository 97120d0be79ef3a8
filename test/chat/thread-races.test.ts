/** Threads that several people write, read and delete in through two instances at once. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import {
  connect,
  createRoom,
  type Frame,
  mustCall,
  signUp,
  type TestSocket,
  type TestUser,
} from '../harness/test-client.ts';

vi.setConfig({ testTimeout: 120_000 });

let fleet: BorrowedFleet;
let [here, there]: string[] = [];
let people: TestUser[] = [];

beforeAll(async () => {
  fleet = await borrowFleet();
  [here, there] = fleet.chats.map(({ url }) => url);
  people = await Promise.all(Array.from({ length: 4 }, () => signUp(here!)));
});
afterAll(() => fleet.end());

interface Thread {
  replyCount: number;
  lastReplyAt: string | null;
  userIds: string[];
  lastSeq: number;
}

interface Message {
  readonly id: string;
  readonly seq: number;
  readonly createdAt: string;
  readonly threadId: string | null;
  readonly thread: Thread | null;
  readonly sender: { readonly id: string };
}

const say = async (person: TestUser, room: string, text: string, rest: object = {}) =>
  (await mustCall(person, 'POST', `/v1/rooms/${room}/messages`, {
    clientId: randomUUID(),
    text,
    ...rest,
  })) as unknown as Message;

const find = async (person: TestUser, room: string, id: string) =>
  (await mustCall(person, 'GET', `/v1/rooms/${room}/messages/${id}`)) as unknown as Message;

/** Sends a frame as clients do: again, when an overloaded machine asks for that. */
async function insist(socket: TestSocket, frame: Record<string, unknown>): Promise<Frame> {
  for (;;) {
    const answer = await socket.ask(frame);
    if (answer.code !== 'unavailable' && answer.code !== 'outcome_unknown') return answer;
    await pause((answer.retryAfterMs as number | undefined) ?? 100);
  }
}

/** The summary of a thread as a client keeps it from events. */
function applied(thread: Thread, events: readonly Frame[], threadId: string): Thread {
  let known = thread;
  for (const { type, data } of events) {
    const told = data as { message?: Message; threadId?: string; thread?: Thread };
    const isOfThread = (told.threadId ?? told.message?.threadId) === threadId;
    if (isOfThread && told.thread) {
      const { threadId: _id, ...summary } = told.thread as Thread & { threadId: string };
      known = summary;
    } else if (isOfThread && type === 'message.created' && told.message!.seq > known.lastSeq) {
      const { sender, createdAt, seq } = told.message!;
      known = {
        replyCount: known.replyCount + 1,
        lastReplyAt: createdAt,
        userIds: [sender.id, ...known.userIds.filter((id) => id !== sender.id)].slice(0, 5),
        lastSeq: seq,
      };
    }
  }
  return known;
}

test('batches with messages of several threads follow each of them, through two instances', async () => {
  const rooms = await Promise.all([1, 2].map(() => createRoom(people)));
  const [root, ...others] = people as [TestUser, ...TestUser[]];
  const roots = await Promise.all(
    rooms.flatMap((room) => [1, 2, 3].map(async (n) => ({ room, message: await say(root, room, `root ${n}`) }))),
  );
  const sockets = await Promise.all(others.map((person, n) => connect(n % 2 ? here! : there!, person)));
  const acks = await Promise.all(
    sockets.flatMap((socket, n) =>
      Array.from({ length: 10 }, (_, at) => at).flatMap((at) =>
        roots.map(({ room, message }) =>
          insist(socket, {
            ...{ type: 'message.send', roomId: room, clientId: `${n}-${at}-${message.id}`, threadId: message.id },
            // Only the first one mentions somebody.
            text: n === 0 && at === 0 ? `@${others[1]!.username}, please` : `reply ${at}`,
          }),
        ),
      ),
    ),
  );
  expect(acks.filter(({ type }) => type !== 'ack')).toEqual([]);
  for (const { room, message } of roots) {
    expect((await find(root.at(there!), room, message.id)).thread).toMatchObject({ replyCount: 30 });
    const state = await mustCall(root, 'GET', `/v1/rooms/${room}/messages/${message.id}/thread`);
    expect(state).toMatchObject({ following: true, unread: 30, lastReadSeq: 0 });
    for (const person of others) {
      const own = await mustCall(person.at(here!), 'GET', `/v1/rooms/${room}/messages/${message.id}/thread`);
      expect(own).toMatchObject({ following: true });
    }
  }
  expect((await mustCall(root.at(there!), 'GET', '/v1/threads?limit=100')).items).toHaveLength(6);
  await Promise.all(sockets.map((socket) => socket.close()));
});

test('while people write, read, follow and stop following, nothing fails and nothing is counted twice', async () => {
  const room = await createRoom(people);
  const [root, ...others] = people as [TestUser, ...TestUser[]];
  const roots = await Promise.all([1, 2, 3].map((n) => say(root, room, `root ${n}`)));
  const sockets = await Promise.all(people.map((person, n) => connect(n % 2 ? here! : there!, person)));
  const frames = Array.from({ length: 30 }, (_, n) => n).flatMap((n) =>
    roots.flatMap(({ id }) => [
      {
        type: 'message.send',
        roomId: room,
        clientId: `${n}-${id}`,
        threadId: id,
        text: `for @${others[n % 3]!.username}`,
      },
      { type: 'thread.read', roomId: room, messageId: id, seq: 10 * n },
      { type: 'thread.follow', roomId: room, messageId: id, following: n % 3 !== 0 },
    ]),
  );
  const answers = await Promise.all(sockets.flatMap((socket) => frames.map((frame) => insist(socket, frame))));
  expect(answers.filter(({ type }) => type !== 'ack')).toEqual([]);
  for (const { id } of roots) {
    expect((await find(root, room, id)).thread).toMatchObject({ replyCount: 30 * people.length });
    for (const person of people) {
      const path = `/v1/rooms/${room}/messages/${id}/thread/read`;
      expect(await mustCall(person.at(there!), 'PUT', path, { seq: 100_000 })).toMatchObject({
        unread: 0,
        mentions: 0,
      });
    }
  }
  await Promise.all(sockets.map((socket) => socket.close()));
});

test('a client that adds messages and takes over the summary of deletions has the thread as the server has it', async () => {
  const room = await createRoom(people);
  const root = await say(people[0]!, room, 'root');
  const socket = await connect(there!, people[0]!);
  const first = await Promise.all(
    people.flatMap((person, n) =>
      Array.from({ length: 8 }, () => say(person.at(n % 2 ? here! : there!), room, 'x', { threadId: root.id })),
    ),
  );
  const start = await find(people[0]!, room, root.id);
  // Both instances delete and send at the same time.
  await Promise.all(
    people.flatMap((person, n) => {
      const at = person.at(n % 2 ? here! : there!);
      const own = first.filter(({ sender }) => sender.id === person.id).slice(0, 5);
      return [
        ...own.map(({ id }) => mustCall(at, 'DELETE', `/v1/rooms/${room}/messages/${id}`)),
        ...own.map(() => say(at, room, 'y', { threadId: root.id })),
      ];
    }),
  );
  const marker = await say(people[0]!, room, 'marker');
  await socket.until(({ seq, type }) => type === 'message.created' && seq === marker.seq);
  const events = socket.events(room);
  const { thread } = await find(people[1]!.at(there!), room, root.id);
  expect(thread).toMatchObject({ replyCount: 32 });
  const none = { replyCount: 0, lastReplyAt: null, userIds: [], lastSeq: 0 };
  expect(applied(none, events, root.id)).toEqual(thread);
  // From a page that was read in between as well, whatever it holds of the events that follow.
  expect(
    applied(
      start.thread!,
      events.filter(({ seq }) => seq! > first.length + root.seq),
      root.id,
    ),
  ).toEqual(thread);
  await socket.close();
});

test('an instance that does not follow the room has the same newest page, with threads and without their messages', async () => {
  const room = await createRoom(people);
  const [ana, ben] = people as [TestUser, TestUser];
  const roots = [await say(ana, room, 'root 1'), await say(ana, room, 'root 2')];
  for (let n = 0; n < 5; n++) {
    await say(ben, room, `among ourselves ${n}`, { threadId: roots[n % 2]!.id });
    await say(ben, room, `for all ${n}`, { threadId: roots[n % 2]!.id, alsoInRoom: n % 2 === 0 });
  }
  const page = async (person: TestUser, query = '') =>
    (await mustCall(person, 'GET', `/v1/rooms/${room}/messages${query}`)) as unknown as { messages: Message[] };
  const unfollowed = await page(ben.at(there!));
  const again = await page(ben.at(there!));
  expect(unfollowed).toEqual(again);
  expect(unfollowed).toEqual(await page(ben.at(here!)));
  expect(unfollowed.messages.map(({ thread, threadId }) => [thread?.replyCount ?? null, threadId])).toEqual([
    ...[
      [6, null],
      [4, null],
    ],
    ...[1, 2, 3].map(() => [null, roots[0]!.id]),
  ]);
  const small = await page(ana.at(there!), '?limit=2');
  expect(small).toMatchObject({ hasMore: true, messages: [{ threadId: roots[0]!.id }, { threadId: roots[0]!.id }] });
});

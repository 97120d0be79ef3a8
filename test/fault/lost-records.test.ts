/** Records for moderators are stored together with their message or decision, even if a connection is lost or all are busy. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { holdTable } from '../harness/held-row.ts';
import { type Answer, connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';
import {
  type Entry,
  openSquare,
  queueOf,
  report,
  type Square,
  say,
  startTown,
  type Town,
} from '../moderation/moderation-town.ts';

vi.setConfig({ testTimeout: 180_000 });

const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
let town: Town;
let staff: TestUser;

beforeAll(async () => {
  town = await startTown({
    PARLEY_MODERATION_FLOOD_ACTION: 'off',
    PARLEY_MODERATION_TIMEOUT: '10s',
    // A held table makes a commit wait longer than another instance would.
    PARLEY_DATABASE_LOCK_TIMEOUT: '4s',
  });
  staff = await town.hire('admin');
  await mustCall(staff, 'POST', '/v1/moderation/rules', { kind: 'word', pattern: 'zibble', action: 'flag' });
  const square = await openSquare(town.here);
  // The rule is in force on every engine within seconds.
  await vi.waitFor(
    async () => {
      await say(square.author, square.roomId, `zibble ${randomUUID()}`);
      expect(await queueOf(square.owner, `roomId=${square.roomId}`)).not.toEqual([]);
    },
    { timeout: 60_000, interval: 300 },
  );
});
afterAll(() => town.end());

/** Repeats a request with the same key until its outcome is known. */
async function untilKnown(request: () => Promise<Answer>): Promise<Answer> {
  let answer = await request();
  await expect
    .poll(async () => {
      if (answer.status === 503) answer = await request();
      return answer.status;
    })
    .not.toBe(503);
  return answer;
}

/** Makes the request while a table is held, and cuts the connection whose statement waits for it. */
async function cutDuring(table: string, text: string, request: () => Promise<Answer>): Promise<Answer> {
  const held = await holdTable(town.fleet.database, table);
  const [first] = await Promise.all([request(), held.cut(text).finally(held.release)]);
  return first.status === 503 ? untilKnown(request) : first;
}

const send = (person: TestUser, roomId: string, text: string, clientId = randomUUID()) =>
  person.call('POST', `/v1/rooms/${roomId}/messages`, { clientId, text });
const messagesIn = (entries: readonly Entry[]) => entries.map(({ message }) => message.id);

test('a flagged message whose commit is cut is in the queue once it is stored', async () => {
  const { roomId, owner, author } = await openSquare(town.here);
  const clientId = randomUUID();
  const sent = await cutDuring('moderation_queue', 'moderation_queue', () =>
    send(author, roomId, 'zibble for the queue', clientId),
  );
  expect([200, 201]).toContain(sent.status);
  expect(messagesIn(await queueOf(owner, `roomId=${roomId}`))).toEqual([sent.body.id]);
});

test('a flagged edit whose commit is cut is in the queue once it is stored', async () => {
  const { roomId, owner, author } = await openSquare(town.here);
  const { id } = await say(author, roomId, 'nothing special');
  const edited = await cutDuring('moderation_queue', 'moderation_queue', () =>
    author.call('PATCH', `/v1/rooms/${roomId}/messages/${id}`, { text: 'a zibble after all' }),
  );
  expect(edited.status).toBe(200);
  expect(messagesIn(await queueOf(owner, `roomId=${roomId}`))).toEqual([id]);
});

test('a repeat of a flagged message makes no second entry', async () => {
  const { roomId, owner, author } = await openSquare(town.here);
  const clientId = randomUUID();
  const first = await send(author, roomId, 'zibble twice', clientId);
  const again = await send(author.at(town.there), roomId, 'zibble twice', clientId);
  expect([first.status, again.status, again.body.id]).toEqual([201, 200, first.body.id]);
  expect(messagesIn(await queueOf(owner, `roomId=${roomId}`))).toEqual([first.body.id]);
});

test('a refusal is recorded before its author gets it', async () => {
  const { roomId, owner, author } = await openSquare(town.here);
  const clientId = randomUUID();
  const refused = await cutDuring('moderation_blocks', 'moderation_blocks', () =>
    send(author, roomId, gtube, clientId),
  );
  expect([refused.status, refused.body.code]).toEqual([422, 'message_blocked']);
  const { items } = await mustCall(owner, 'GET', `/v1/moderation/refusals?roomId=${roomId}`);
  expect(items).toMatchObject([{ author: { id: author.id }, roomId }]);
});

test('the example of a decision is stored with the decision', async () => {
  const { roomId, author, reader } = await openSquare(town.here);
  const { id } = await say(author, roomId, 'a line that teaches something');
  const entry = await report(reader, roomId, id);
  const decided = await cutDuring('learned_examples', 'insert into learned_examples', () =>
    staff.call('POST', `/v1/moderation/queue/${entry}`, { decision: 'remove' }),
  );
  expect(decided.status).toBe(200);
  const { items } = await mustCall(staff, 'GET', '/v1/moderation/lessons?limit=100');
  expect(items!.filter(({ messageId }) => messageId === id)).toMatchObject([{ label: 'spam', moderatorId: staff.id }]);
});

/** All entries of the list, page by page. */
async function readAll(person: TestUser, path: string): Promise<Record<string, unknown>[]> {
  const all: Record<string, unknown>[] = [];
  let cursor = '';
  do {
    const page = await mustCall(person, 'GET', `${path}&limit=100${cursor && `&cursor=${cursor}`}`);
    all.push(...page.items!);
    cursor = (page.nextCursor as string | null) ?? '';
  } while (cursor);
  return all;
}

test('at full load with a third of the messages flagged, every flagged message is in the queue', async () => {
  const square: Square = await openSquare(town.here);
  const others = await Promise.all(Array.from({ length: 5 }, () => signUp(town.here)));
  const rooms = await Promise.all(others.map((person) => createRoom([square.owner, person])));
  const sockets = await Promise.all(others.map((person, index) => connect(index % 2 ? town.here : town.there, person)));
  const answers = await Promise.all(
    sockets.flatMap((socket, index) =>
      Array.from({ length: 90 }, (_, n) => socket.say(rooms[index]!, `${n % 3 ? 'word' : 'zibble'} ${randomUUID()}`)),
    ),
  );
  expect(answers.filter(({ type }) => type !== 'ack')).toEqual([]);
  const flagged = answers.filter((_, index) => (index % 90) % 3 === 0).map(({ messageId }) => messageId);
  const entries = await Promise.all(
    rooms.map((roomId) => readAll(square.owner, `/v1/moderation/queue?roomId=${roomId}`)),
  );
  const listed = messagesIn(entries.flat() as Entry[]);
  expect(listed.toSorted()).toEqual(flagged.toSorted());
  await Promise.all(sockets.map((socket) => socket.close()));
});

test('when many messages are refused at once every refusal is recorded', async () => {
  const { roomId, owner, author } = await openSquare(town.here);
  const socket = await connect(town.here, author);
  const answers = await Promise.all(Array.from({ length: 250 }, (_, n) => socket.say(roomId, `${gtube} ${n}`)));
  expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(['message_blocked']));
  expect(await readAll(owner, `/v1/moderation/refusals?roomId=${roomId}`)).toHaveLength(250);
  await socket.close();
});

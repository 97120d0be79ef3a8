import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { holdRow } from '../harness/held-row.ts';
import {
  type Answer,
  connect,
  createRoom,
  type Frame,
  mustCall,
  signUp,
  type TestUser,
} from '../harness/test-client.ts';

vi.setConfig({ testTimeout: 120_000 });

let fleet: BorrowedFleet;
let [here, there]: string[] = [];
let [ana, ben, eve]: TestUser[] = [];

beforeAll(async () => {
  fleet = await borrowFleet();
  [here, there] = fleet.chats.map(({ url }) => url);
  [ana, ben, eve] = await Promise.all([1, 2, 3].map(() => signUp(here!)));
});
afterAll(() => fleet.end());

interface Message {
  readonly id: string;
  readonly seq: number;
  readonly text: string;
  readonly html: string;
  readonly createdAt: string;
  readonly mentions: string[];
  readonly attachments: readonly { readonly url: string }[];
  readonly sender: { readonly id: string };
  readonly forwarded?: {
    readonly sender: { readonly id: string };
    readonly createdAt: string;
    readonly comment?: { readonly text: string; readonly html: string };
  };
}

const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';

const say = async (person: TestUser, room: string, text: string, rest: object = {}) =>
  (await mustCall(person, 'POST', `/v1/rooms/${room}/messages`, {
    clientId: randomUUID(),
    text,
    ...rest,
  })) as unknown as Message;

const forward = (
  person: TestUser,
  from: { room: string; message: { id: string } },
  to: string,
  rest: object = {},
): Promise<Answer> =>
  person.call('POST', `/v1/rooms/${to}/messages`, {
    clientId: randomUUID(),
    forward: { roomId: from.room, messageId: from.message.id },
    ...rest,
  });

const forwarded = async (...args: Parameters<typeof forward>) => {
  const answer = await forward(...args);
  expect(answer).toMatchObject({ status: 201 });
  return answer.body as unknown as Message;
};

const find = async (person: TestUser, room: string, id: string) =>
  (await mustCall(person, 'GET', `/v1/rooms/${room}/messages/${id}`)) as unknown as Message;

test('a forward copies text and looks, says who wrote it, and is the same live, in the log and in history', async () => {
  const [room, target] = await Promise.all([createRoom([ana!, ben!]), createRoom([ben!, eve!])]);
  const source = await say(ana!, room, 'some **bold** words');
  const [near, far] = await Promise.all([connect(here!, eve!), connect(there!, eve!)]);
  const copy = await forwarded(ben!, { room, message: source }, target);
  expect(copy).toMatchObject({
    ...{ text: source.text, html: source.html, sender: { id: ben!.id }, mentions: [] },
    forwarded: { sender: { id: ana!.id, username: ana!.username }, createdAt: source.createdAt },
  });
  expect(copy.forwarded).not.toHaveProperty('comment');
  for (const socket of [near, far]) {
    const event = await socket.until(({ type, roomId }) => type === 'message.created' && roomId === target);
    expect(event.data).toEqual({ message: copy });
    await socket.close();
  }
  const { events } = (await mustCall(eve!.at(there!), 'GET', `/v1/rooms/${target}/events?after=${copy.seq - 1}`)) as {
    events?: Frame[];
  };
  expect(events![0]!.data).toEqual({ message: copy });
  const { messages } = (await mustCall(eve!, 'GET', `/v1/rooms/${target}/messages`)) as { messages?: Message[] };
  expect(messages!.at(-1)).toEqual(copy);
});

test('a forward by socket is acked, and its key gets the first answer again, even if the source is gone', async () => {
  const room = await createRoom([ana!, ben!]);
  const source = await say(ana!, room, 'once');
  const socket = await connect(there!, ben!);
  const frame = { type: 'message.send', roomId: room, clientId: 'k', forward: { roomId: room, messageId: source.id } };
  const ack = await socket.ask(frame);
  expect(ack).toMatchObject({ type: 'ack', seq: source.seq + 1 });
  await mustCall(ana!, 'DELETE', `/v1/rooms/${room}/messages/${source.id}`);
  expect(await socket.ask(frame)).toMatchObject({ type: 'ack', messageId: ack.messageId, duplicate: true });
  const other = { ...frame, forward: { roomId: room, messageId: ack.messageId } };
  expect(await socket.ask(other)).toMatchObject({ type: 'error', code: 'conflict' });
  // What was copied stays when the source is deleted.
  expect(await find(ben!, room, ack.messageId as string)).toMatchObject({ text: 'once' });
  await socket.close();
});

test('a comment stands above the copy, and both are told apart', async () => {
  const [room, target, third] = await Promise.all([
    createRoom([ana!, ben!]),
    createRoom([ben!, eve!]),
    createRoom([eve!]),
  ]);
  const source = await say(ana!, room, 'first line\nsecond line');
  const copy = await forwarded(ben!, { room, message: source }, target, { text: `look, @${eve!.username}: *this*` });
  expect(copy).toMatchObject({
    text: `look, @${eve!.username}: *this*\n\n> first line\n> second line`,
    mentions: [eve!.id],
    forwarded: { sender: { id: ana!.id }, comment: { text: `look, @${eve!.username}: *this*` } },
  });
  expect(copy.html).toBe(`${copy.forwarded!.comment!.html}<blockquote>${source.html}</blockquote>`);
  expect(copy.forwarded!.comment!.html).toContain('<em>this</em>');
  // A forward of a forward goes on without the comment, and names who wrote the message first.
  const again = await forwarded(eve!, { room: target, message: copy }, third);
  expect(again).toMatchObject({
    ...{ text: source.text, html: source.html, sender: { id: eve!.id } },
    forwarded: { sender: { id: ana!.id }, createdAt: source.createdAt },
  });
  expect(again.forwarded).not.toHaveProperty('comment');
});

test('names that are members of the source alone become plain text, and nobody is notified by a copy', async () => {
  const [room, target] = await Promise.all([createRoom([ana!, ben!, eve!]), createRoom([ana!, eve!])]);
  const source = await say(ana!, room, `@${ben!.username} and @${eve!.username}, and all of @room`);
  expect(source.html.match(/class="mention"/g)).toHaveLength(3);
  const before = (await mustCall(eve!, 'GET', '/v1/rooms')).items!.find(({ id }) => id === target)!;
  const copy = await forwarded(ana!, { room, message: source }, target);
  expect(copy).toMatchObject({ text: source.text, mentions: [], mentionsAll: null });
  expect(copy.html.match(/data-username="([^"]+)"/g)).toEqual([`data-username="${eve!.username}"`]);
  expect(copy.html).toContain(`@${ben!.username} and `);
  const after = (await mustCall(eve!, 'GET', '/v1/rooms')).items!.find(({ id }) => id === target)!;
  expect(after).toMatchObject({ mentions: before.mentions, unread: (before.unread as number) + 1 });
});

test('a forward goes into a thread like any message', async () => {
  const room = await createRoom([ana!, ben!]);
  const [source, root] = [await say(ana!, room, 'from the room'), await say(ana!, room, 'root')];
  const copy = await forwarded(ben!, { room, message: source }, room, { threadId: root.id });
  expect(copy).toMatchObject({ threadId: root.id, text: 'from the room' });
  expect(await find(ana!, room, root.id)).toMatchObject({ thread: { replyCount: 1, userIds: [ben!.id] } });
  const state = await mustCall(ana!, 'GET', `/v1/rooms/${room}/messages/${root.id}/thread`);
  expect(state).toMatchObject({ following: true, unread: 1 });
});

test('only what the sender can read is forwarded: whatever the reason, the refusal is the same', async () => {
  const [secret, target] = await Promise.all([createRoom([ana!, ben!]), createRoom([ben!, eve!])]);
  const source = await say(ana!, secret, 'for two');
  const gone = await say(ana!, secret, 'gone');
  await mustCall(ana!, 'DELETE', `/v1/rooms/${secret}/messages/${gone.id}`);
  const joined = await createRoom([ana!], { history: 'joined' });
  const early = await say(ana!, joined, 'before ben came');
  await mustCall(ana!, 'PUT', `/v1/rooms/${joined}/members/${ben!.id}`, {});
  const open = await createRoom([ana!], { visibility: 'public', history: 'joined' });
  const unseen = await say(ana!, open, 'before the room was public');
  const ended = await createRoom([ana!, ben!]);
  const last = await say(ana!, ended, 'the last');
  await mustCall(ana!, 'DELETE', `/v1/rooms/${ended}`);
  const refused = {
    status: 404,
    body: { code: 'not_found', errors: [{ path: '/forward' }], detail: 'the message to forward is not there' },
  };
  expect(await forward(eve!, { room: secret, message: source }, target)).toMatchObject(refused);
  expect(await forward(ben!, { room: secret, message: gone }, target)).toMatchObject(refused);
  expect(await forward(ben!, { room: joined, message: early }, target)).toMatchObject(refused);
  expect(await forward(ben!, { room: open, message: unseen }, target)).toMatchObject(refused);
  expect(await forward(ben!, { room: ended, message: last }, target)).toMatchObject(refused);
  expect(await forward(ben!, { room: target, message: source }, target)).toMatchObject(refused);
  expect(await forward(ben!, { room: randomUUID(), message: source }, target)).toMatchObject(refused);
  // A public room is read by everybody, except by those it has banned.
  const square = await createRoom([ana!], { visibility: 'public' });
  const seen = await say(ana!, square, 'for all');
  expect(await forward(eve!, { room: square, message: seen }, target)).toMatchObject({ status: 201 });
  await mustCall(ana!, 'PUT', `/v1/moderation/bans/${eve!.id}`, { roomId: square });
  expect(await forward(eve!, { room: square, message: seen }, target)).toMatchObject(refused);
  // And where the sender may not post, nothing is forwarded to.
  expect(await forward(ana!, { room: secret, message: source }, target)).toMatchObject({ status: 404 });
});

test('comment and copy are judged, the copy by the rules of the room that it goes to', async () => {
  const [room, strict] = await Promise.all([createRoom([ana!, ben!]), createRoom([ben!, eve!])]);
  await mustCall(ben!, 'POST', '/v1/moderation/rules', {
    ...{ kind: 'word', pattern: 'zucchinibread', action: 'block', roomId: strict },
  });
  const source = await say(ana!, room, 'my zucchinibread is ready');
  const blocked = { status: 422, body: { code: 'message_blocked', labels: [expect.anything()] } };
  await expect
    .poll(() => forward(eve!, { room: strict, message: { id: randomUUID() } }, strict, { text: 'zucchinibread' }))
    .toMatchObject({ status: 404 });
  await expect.poll(() => forward(ben!, { room, message: source }, strict), { timeout: 20_000 }).toMatchObject(blocked);
  expect(await forward(ben!, { room, message: source }, room, { text: gtube })).toMatchObject(blocked);
  expect(await forward(ben!, { room, message: source }, room)).toMatchObject({ status: 201 });
});

test('what is forwarded cannot be edited, and deleting it takes all of it away', async () => {
  const room = await createRoom([ana!, ben!]);
  const source = await say(ana!, room, 'my words');
  const copy = await forwarded(ben!, { room, message: source }, room, { text: 'indeed' });
  const edit = await ben!.call('PATCH', `/v1/rooms/${room}/messages/${copy.id}`, { text: 'never said' });
  expect(edit).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  const socket = await connect(here!, ben!);
  expect(
    await socket.ask({ type: 'message.edit', roomId: room, messageId: copy.id, text: 'never said' }),
  ).toMatchObject({ code: 'forbidden' });
  await socket.close();
  await mustCall(ben!, 'DELETE', `/v1/rooms/${room}/messages/${copy.id}`);
  const tombstone = await find(ana!, room, copy.id);
  expect(tombstone).toMatchObject({ text: '', html: '' });
  expect(tombstone).not.toHaveProperty('forwarded');
});

test('a forward brings the files, which stay when the source is deleted', async () => {
  const [room, target] = await Promise.all([createRoom([ana!, ben!]), createRoom([ben!, eve!])]);
  const body = new FormData();
  body.append('file', new Blob(['what the forest needs'], { type: 'text/plain' }), 'forest.txt');
  const headers = { authorization: `Bearer ${ana!.accessToken}` };
  const uploaded = await fetch(`${here!}/v1/uploads`, { method: 'POST', headers, body });
  const { id } = (await uploaded.json()) as { id: string };
  const sent = { clientId: 'file', attachmentIds: [id] };
  const source = (await mustCall(ana!, 'POST', `/v1/rooms/${room}/messages`, sent)) as unknown as Message;
  const plain = await forwarded(ben!, { room, message: source }, target);
  const noted = await forwarded(ben!, { room, message: source }, target, { text: 'read this' });
  await mustCall(ana!, 'DELETE', `/v1/rooms/${room}/messages/${source.id}`);
  expect(plain).toMatchObject({
    text: '',
    attachments: [{ name: 'forest.txt' }],
    forwarded: { sender: { id: ana!.id } },
  });
  expect(noted).toMatchObject({ text: 'read this', forwarded: { comment: { text: 'read this' } } });
  for (const copy of [plain, noted]) {
    const [file] = (await find(eve!, target, copy.id)).attachments;
    const answer = await fetch(new URL(file!.url, here));
    expect(await answer.text()).toBe('what the forest needs');
  }
});

test('files, polls and forwards do not mix, and a message needs something to forward', async () => {
  const room = await createRoom([ana!]);
  const source = await say(ana!, room, 'x');
  const poll = { question: 'Tea?', options: ['yes', 'no'] };
  for (const rest of [{ poll }, { attachmentIds: [randomUUID()] }])
    expect(await forward(ana!, { room, message: source }, room, rest)).toMatchObject({
      ...{ status: 400, body: { errors: [{ path: '/forward' }] } },
    });
  const asked = await mustCall(ana!, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'p', poll, text: 'tea?' });
  const ofPoll = await forward(ana!, { room, message: asked as unknown as Message }, room);
  expect(ofPoll).toMatchObject({ status: 400, body: { errors: [{ path: '/forward' }] } });
  const odd = await ana!.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'o', forward: { roomId: room } });
  expect(odd).toMatchObject({ status: 400, body: { code: 'invalid' } });
});

test('a sender who is removed from the source before the append forwards nothing', async () => {
  const [room, target] = await Promise.all([createRoom([ana!, ben!]), createRoom([ben!])]);
  const source = await say(ana!, room, 'not for long');
  // The removal has the row of the membership, and waits for its seq; the forward comes to the same row.
  const held = await holdRow(
    fleet.database,
    (tx) => tx`
    insert into events (room_id, seq, type, at, actor_id, data)
      values (${room}, ${source.seq + 1}, 'room.updated', now(), ${ana!.id}, '{}')`,
  );
  const removal = ana!.call('DELETE', `/v1/rooms/${room}/members/${ben!.id}`);
  await held.waiting(1);
  const attempt = forward(ben!.at(there!), { room, message: source }, target);
  await held.waiting(2);
  await held.release();
  expect(await removal).toMatchObject({ status: 204 });
  expect(await attempt).toMatchObject({ status: 404, body: { errors: [{ path: '/forward' }] } });
  expect((await mustCall(ben!, 'GET', `/v1/rooms/${target}/messages`)).messages).toEqual([]);
});

test('a removal waits for a forward that has begun: after its answer nothing is forwarded any more', async () => {
  const [room, target] = await Promise.all([createRoom([ana!, ben!]), createRoom([ben!])]);
  const source = await say(ana!, room, 'just in time');
  const { seq } = await mustCall(ben!, 'GET', `/v1/rooms/${target}`);
  const held = await holdRow(
    fleet.database,
    (tx) => tx`
    insert into events (room_id, seq, type, at, actor_id, data)
      values (${target}, ${(seq as number) + 1}, 'room.updated', now(), ${ben!.id}, '{}')`,
  );
  const attempt = forward(ben!.at(there!), { room, message: source }, target);
  await held.waiting(1);
  const removal = ana!.call('DELETE', `/v1/rooms/${room}/members/${ben!.id}`);
  await held.waiting(2);
  await held.release();
  expect(await attempt).toMatchObject({ status: 201, body: { text: 'just in time' } });
  expect(await removal).toMatchObject({ status: 204 });
  expect(await forward(ben!, { room, message: source }, target)).toMatchObject({ status: 404 });
});

test('an edit or a deletion that comes first is not overlooked', async () => {
  const room = await createRoom([ana!, ben!]);
  const [edited, deleted] = [await say(ana!, room, 'before'), await say(ana!, room, 'unwise')];
  const target = await createRoom([ben!]);
  const sql = postgres(fleet.database.url, { max: 1 });
  const race = async (message: Message, change: (tx: postgres.TransactionSql) => PromiseLike<unknown>) => {
    const held = await holdRow(fleet.database, change, 'commit');
    const attempt = forward(ben!, { room, message }, target);
    await held.waiting(1);
    await held.release();
    return attempt;
  };
  expect(
    await race(edited, (tx) => tx`update events set text = 'after' where message_id = ${edited.id}`),
  ).toMatchObject({
    ...{ status: 409, body: { code: 'conflict' } },
  });
  expect(
    await race(deleted, (tx) => tx`update events set text = '', deleted_at = now() where message_id = ${deleted.id}`),
  ).toMatchObject({ status: 404, body: { errors: [{ path: '/forward' }] } });
  await sql.end();
});

test('80 removals while their users forward: nothing is forwarded after a removal was acked', async () => {
  const room = await createRoom([ana!]);
  const source = await say(ana!, room, 'the secret');
  const outcomes = { in: 0, out: 0, leaked: 0 };
  const people = await Promise.all(Array.from({ length: 8 }, () => signUp(here!)));
  const round = async (person: TestUser, n: number) => {
    const target = await createRoom([person]);
    await mustCall(ana!, 'PUT', `/v1/rooms/${room}/members/${person.id}`, {});
    let isRemoved = false;
    const removal = ana!
      .at(n % 2 ? here! : there!)
      .call('DELETE', `/v1/rooms/${room}/members/${person.id}`)
      .then(() => {
        isRemoved = true;
      });
    const sends = [here!, there!, here!].map((url) => forward(person.at(url), { room, message: source }, target));
    await removal;
    expect(isRemoved).toBe(true);
    // Begun after the ack.
    const late = await forward(person.at(n % 2 ? there! : here!), { room, message: source }, target);
    if (late.status !== 404) outcomes.leaked += 1;
    for (const { status } of await Promise.all(sends)) outcomes[status === 201 ? 'in' : 'out'] += 1;
  };
  for (let n = 0; n < 10; n++) await Promise.all(people.map((person) => round(person, n)));
  expect(outcomes).toMatchObject({ leaked: 0 });
  expect(outcomes.in + outcomes.out).toBe(240);
});

/** The read marker: forward by reading, back by marking unread, the same on all devices and instances. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fleet, startFleet } from '../harness/stack.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ chats: 2, processings: 1 });
});
afterAll(async () => {
  await fleet.end();
});
const [here, there] = [() => fleet.chats[0]!.url, () => fleet.chats[1]!.url];

const say = async (person: TestUser, roomId: string, text: string) =>
  (await mustCall(person, 'POST', `/v1/rooms/${roomId}/messages`, { clientId: randomUUID(), text })).seq as number;
const stateOf = async (person: TestUser, roomId: string) =>
  (await mustCall(person, 'GET', '/v1/rooms')).items!.find(({ id }) => id === roomId)!;

/** A room where Ben has read the last of five messages, of which the third mentions him. */
async function startReading() {
  const [ana, ben] = await Promise.all([signUp(here()), signUp(here())]);
  const roomId = await createRoom([ana, ben]);
  const seqs: number[] = [];
  for (let n = 1; n <= 5; n++) seqs.push(await say(ana, roomId, n === 3 ? `for @${ben.username}` : `message ${n}`));
  const path = `/v1/rooms/${roomId}`;
  expect(await mustCall(ben, 'PUT', `${path}/read`, { seq: seqs[4] })).toMatchObject({ unread: 0, mentions: 0 });
  return { ana, ben, roomId, path, seqs };
}

test('marking unread moves the marker back for every device and instance, and reading moves it on', async () => {
  const { ben, roomId, path, seqs } = await startReading();
  const [phone, desktop] = await Promise.all([connect(here(), ben), connect(there(), ben)]);
  const marked = { lastReadSeq: seqs[2]! - 1, unread: 3, mentions: 1 };
  expect(await mustCall(ben, 'PUT', `${path}/unread`, { seq: seqs[2] })).toEqual(marked);
  for (const device of [phone, desktop])
    expect((await device.until(({ type, roomId: id }) => type === 'read.updated' && id === roomId)).data).toEqual({
      userId: ben.id,
      ...marked,
    });
  for (const url of [here(), there()]) expect(await stateOf(ben.at(url), roomId)).toMatchObject(marked);
  // Marking from a later message does not read the ones before it.
  expect(await phone.ask({ type: 'unread', roomId, seq: seqs[4] })).toMatchObject({ type: 'ack', ...marked });
  expect(await desktop.ask({ type: 'read', roomId, seq: seqs[3] })).toMatchObject({
    lastReadSeq: seqs[3],
    unread: 1,
    mentions: 0,
  });
  const again = await connect(there(), ben);
  expect((again.welcome.rooms as { id: string }[]).find(({ id }) => id === roomId)).toMatchObject({
    lastReadSeq: seqs[3],
    unread: 1,
  });
  await Promise.all([phone, desktop, again].map((device) => device.close()));
});

test('a read of a device that does not know of the mark yet does not undo it', async () => {
  const { ben, roomId, path, seqs } = await startReading();
  await mustCall(ben, 'PUT', `${path}/unread`, { seq: seqs[1] });
  const other = ben.at(there());
  // This device still believes that everything is read.
  const marked = { lastReadSeq: seqs[1]! - 1, unread: 4, mentions: 1 };
  expect(await mustCall(other, 'PUT', `${path}/read`, { seq: seqs[4], known: seqs[4] })).toEqual(marked);
  // Now it knows, and reads on.
  expect(await mustCall(other, 'PUT', `${path}/read`, { seq: seqs[3], known: marked.lastReadSeq })).toMatchObject({
    lastReadSeq: seqs[3],
  });
  // Both kinds of reads at once.
  await mustCall(ben, 'PUT', `${path}/unread`, { seq: seqs[0] });
  const device = await connect(here(), ben);
  const answers = await Promise.all([
    device.ask({ type: 'read', roomId, seq: seqs[4], known: seqs[4] }),
    device.ask({ type: 'read', roomId, seq: seqs[1] }),
  ]);
  expect(answers.map(({ type }) => type)).toEqual(['ack', 'ack']);
  expect(await stateOf(ben, roomId)).toMatchObject({ lastReadSeq: seqs[1], unread: 3 });
  await device.close();
});

test('nobody marks unread what was sent before they joined, nor in a room that they are not in', async () => {
  const [ana, ben, eve] = await Promise.all([signUp(here()), signUp(here()), signUp(here())]);
  const roomId = await createRoom([ana], { visibility: 'public' });
  await say(ana, roomId, 'before');
  await mustCall(ben, 'PUT', `/v1/rooms/${roomId}/members/me`, {});
  const joined = (await stateOf(ben, roomId)).seq as number;
  const first = await say(ana, roomId, 'after');
  const path = `/v1/rooms/${roomId}/unread`;
  await mustCall(ben, 'PUT', `/v1/rooms/${roomId}/read`, { seq: first });
  for (const seq of [0, 1, joined])
    expect(await mustCall(ben, 'PUT', path, { seq })).toEqual({ lastReadSeq: joined - 1, unread: 1, mentions: 0 });
  expect(await mustCall(ben, 'PUT', path, { seq: first + 1000 })).toMatchObject({ lastReadSeq: joined - 1 });
  expect((await eve.call('PUT', path, { seq: 1 })).status).toBe(403);
  for (const seq of [-1, 1.5, 'x', null]) expect((await ben.call('PUT', path, { seq })).status).toBe(400);
  expect((await ben.call('PUT', path, { seq: 1, more: true })).body.code).toBe('invalid');
  await mustCall(ana, 'DELETE', `/v1/rooms/${roomId}/members/${ben.id}`);
  expect((await ben.at(there()).call('PUT', path, { seq: 1 })).status).toBe(403);
});

test('marks of two instances at once end in one state that every list agrees on', async () => {
  const { ben, roomId, path, seqs } = await startReading();
  const [one, two] = [ben, ben.at(there())];
  await Promise.all(
    Array.from({ length: 40 }, (_, n) =>
      mustCall(n % 2 ? one : two, 'PUT', `${path}/${n % 4 < 2 ? 'unread' : 'read'}`, { seq: seqs[n % 5] }),
    ),
  );
  const [left, right] = [await stateOf(one, roomId), await stateOf(two, roomId)];
  expect(left).toEqual(right);
  const expected = seqs.filter((seq) => seq > (left.lastReadSeq as number)).length;
  expect(left.unread).toBe(expected);
});

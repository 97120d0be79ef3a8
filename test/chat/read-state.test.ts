/** The read marker: forward by reading, back by marking unread, the same on all devices and instances. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { holdRow } from '../harness/held-row.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: BorrowedFleet;
beforeAll(async () => {
  fleet = await borrowFleet();
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
  const answer = await mustCall(ben, 'PUT', `${path}/unread`, { seq: seqs[2] });
  expect(answer).toEqual({ ...marked, seq: seqs[4], readVersion: expect.any(Number) });
  for (const device of [phone, desktop])
    expect((await device.until(({ type, roomId: id }) => type === 'read.updated' && id === roomId)).data).toEqual({
      userId: ben.id,
      ...answer,
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
  expect(await mustCall(other, 'PUT', `${path}/read`, { seq: seqs[4], known: seqs[4] })).toMatchObject(marked);
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
    expect(await mustCall(ben, 'PUT', path, { seq })).toMatchObject({
      lastReadSeq: joined - 1,
      unread: 1,
      mentions: 0,
    });
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

const versionOf = async (person: TestUser, roomId: string) => (await stateOf(person, roomId)).readVersion as number;
const holdMarker = (person: TestUser, roomId: string) =>
  holdRow(
    fleet.database,
    (tx) => tx`select from read_states where user_id = ${person.id} and room_id = ${roomId} for update`,
  );

test('an answer counts up to its seq, also when messages came while it waited for the marker', async () => {
  const { ana, ben, roomId, path, seqs } = await startReading();
  const held = await holdMarker(ben, roomId);
  const marking = mustCall(ben.at(there()), 'PUT', `${path}/unread`, { seq: seqs[4] });
  await held.waiting(1);
  const later = await say(ana, roomId, `@${ben.username}, while the mark waits`);
  await held.release();
  expect(await marking).toMatchObject({ lastReadSeq: seqs[3], unread: 2, mentions: 1, seq: later });
});

test('answers of two instances are ordered by their version, and say the same as the lists', async () => {
  const { ben, roomId, path, seqs } = await startReading();
  const held = await holdMarker(ben, roomId);
  const first = mustCall(ben, 'PUT', `${path}/unread`, { seq: seqs[1] });
  await held.waiting(1);
  const second = mustCall(ben.at(there()), 'PUT', `${path}/read`, { seq: seqs[4] });
  await held.waiting(2);
  await held.release();
  const answers = await Promise.all([first, second]);
  const newest = answers.toSorted((left, right) => Number(right.readVersion) - Number(left.readVersion))[0]!;
  expect(newest).toMatchObject({ lastReadSeq: seqs[4], unread: 0, mentions: 0 });
  const listed = await stateOf(ben, roomId);
  expect(listed).toMatchObject(newest);
  const device = await connect(there(), ben);
  const welcomed = (device.welcome.rooms as Record<string, unknown>[]).find(({ id }) => id === roomId);
  expect(welcomed).toMatchObject(newest);
  // A mark that moves nothing is no other version.
  expect(await mustCall(ben, 'PUT', `${path}/read`, { seq: seqs[0] })).toEqual(newest);
  await device.close();
});

test('a block makes earlier answers older ones in every room, and tells the other devices', async () => {
  const { ana, ben, roomId, path, seqs } = await startReading();
  const elsewhere = await createRoom([ana, ben]);
  const device = await connect(there(), ben);
  const toldOf = (blocked: boolean) =>
    device.until(({ type, data }) => type === 'block.updated' && (data as { blocked: boolean }).blocked === blocked);
  await say(ana, roomId, '@room attention');
  const before = await versionOf(ben, roomId);
  expect(await versionOf(ben, elsewhere)).toBe(0);
  const held = await holdMarker(ben, roomId);
  // Both wait for the marker: the mark is stored first, and counts what the block has changed or is older than it.
  const marking = mustCall(ben, 'PUT', `${path}/unread`, { seq: seqs[4] });
  await held.waiting(1);
  const blocking = mustCall(ben.at(there()), 'PUT', `/v1/users/me/blocks/${ana.id}`);
  await held.waiting(2);
  await held.release();
  const [marked] = await Promise.all([marking, blocking]);
  expect((await toldOf(true)).data).toEqual({ userId: ana.id, blocked: true });
  const listed = await stateOf(ben, roomId);
  expect(listed).toMatchObject({ unread: 2, mentions: 0, readVersion: before + 2 });
  expect([
    { mentions: 1, readVersion: before + 1 },
    { mentions: 0, readVersion: before + 2 },
  ]).toContainEqual({ mentions: marked.mentions, readVersion: marked.readVersion });
  expect(await versionOf(ben, elsewhere)).toBe(1);
  // A repeat changes nothing.
  await mustCall(ben, 'PUT', `/v1/users/me/blocks/${ana.id}`);
  expect(await versionOf(ben, roomId)).toBe(before + 2);
  const again = await connect(here(), ben);
  expect(again.welcome.blockedIds).toEqual([ana.id]);
  await mustCall(ben, 'DELETE', `/v1/users/me/blocks/${ana.id}`);
  await toldOf(false);
  expect(await stateOf(ben, roomId)).toMatchObject({ mentions: 1, readVersion: before + 3 });
  await Promise.all([device.close(), again.close()]);
});

/** Read receipts: how far others have read, live and as a list. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { connect, createRoom, type Frame, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: BorrowedFleet;
beforeAll(async () => {
  fleet = await borrowFleet();
});
afterAll(async () => {
  await fleet.end();
});
const [here, there] = [() => fleet.chats[0]!.url, () => fleet.chats[1]!.url];
const people = (count: number) => Promise.all(Array.from({ length: count }, () => signUp(here())));

const say = async (person: TestUser, roomId: string) =>
  (await mustCall(person, 'POST', `/v1/rooms/${roomId}/messages`, { clientId: randomUUID(), text: 'hello' }))
    .seq as number;
const read = (person: TestUser, roomId: string, seq: number) =>
  mustCall(person, 'PUT', `/v1/rooms/${roomId}/read`, { seq });
const receiptOf =
  (roomId: string, userId: string, lastReadSeq: number) =>
  ({ type, roomId: id, data }: Frame) =>
    type === 'receipt.updated' && id === roomId && data?.userId === userId && data.lastReadSeq === lastReadSeq;
const receiptsIn = (frames: readonly Frame[], roomId: string) =>
  frames.filter(({ type, roomId: id }) => type === 'receipt.updated' && id === roomId).map(({ data }) => data!.userId);

test('in a direct message both see how far the other has read, on every instance', async () => {
  const [ana, ben] = (await people(2)) as [TestUser, TestUser];
  const dm = (await mustCall(ana, 'POST', '/v1/dms', { userIds: [ben.id] })).id as string;
  const [watching, own] = await Promise.all([connect(there(), ana), connect(here(), ben)]);
  const seqs = [await say(ana, dm), await say(ana, dm), await say(ana, dm)];
  // Several moves of one interval are one signal, of the last position.
  for (const seq of seqs) await read(ben, dm, seq);
  const last = await watching.until(receiptOf(dm, ben.id, seqs[2]!));
  expect(last).toEqual({ type: 'receipt.updated', roomId: dm, data: { userId: ben.id, lastReadSeq: seqs[2] } });
  const list = await mustCall(ana.at(there()), 'GET', `/v1/rooms/${dm}/receipts`);
  expect(list.items).toContainEqual({
    userId: ben.id,
    lastReadSeq: seqs[2],
    at: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/),
  });
  expect(list).toMatchObject({ nextCursor: null });
  // A read that moves nothing keeps the time, and marking unread shows.
  await read(ben, dm, seqs[0]!);
  expect((await mustCall(ana, 'GET', `/v1/rooms/${dm}/receipts`)).items).toEqual(list.items);
  await mustCall(ben, 'PUT', `/v1/rooms/${dm}/unread`, { seq: seqs[1] });
  await watching.until(receiptOf(dm, ben.id, seqs[0]!));
  expect(receiptsIn(own.frames, dm)).toEqual([]);
  await Promise.all([watching.close(), own.close()]);
});

test('receipts of a room are off until its moderators switch them on, and nobody sees them in a room that is off', async () => {
  const [ana, ben, eve] = (await people(3)) as [TestUser, TestUser, TestUser];
  const roomId = await createRoom([ana, ben]);
  const path = `/v1/rooms/${roomId}`;
  const watching = await connect(there(), ana);
  const first = await say(ana, roomId);
  await read(ben, roomId, first);
  expect(await ana.call('GET', `${path}/receipts`)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  expect((await eve.call('GET', `${path}/receipts`)).status).toBe(404);
  expect((await ben.call('PATCH', path, { receipts: true })).status).toBe(403);
  expect(await mustCall(ana, 'PATCH', path, { receipts: true, pins: 'moderators' })).toMatchObject({
    receipts: true,
    pins: 'moderators',
  });
  await watching.until(({ type, roomId: id }) => type === 'room.updated' && id === roomId);
  const second = await say(ana, roomId);
  await read(ben.at(there()), roomId, second);
  await watching.until(receiptOf(roomId, ben.id, second));
  expect(receiptsIn(watching.frames, roomId)).toEqual([ben.id]);
  const pages: unknown[] = [];
  for (let cursor = ''; ; ) {
    const page = await mustCall(ben, 'GET', `${path}/receipts?limit=1${cursor}`);
    pages.push(...page.items!.map(({ userId }) => userId));
    if (page.nextCursor === null) break;
    cursor = `&cursor=${page.nextCursor as string}`;
  }
  expect(pages).toEqual([ana.id, ben.id].sort());
  await mustCall(ana, 'DELETE', `${path}/members/${ben.id}`);
  expect((await mustCall(ana, 'GET', `${path}/receipts`)).items!.map(({ userId }) => userId)).toEqual([ana.id]);
  const dm = (await mustCall(ana, 'POST', '/v1/dms', { userIds: [ben.id] })).id as string;
  expect((await ana.call('PATCH', `/v1/rooms/${dm}`, { receipts: false })).status).toBe(403);
  await watching.close();
});

test('people separated by a block do not see each other’s receipts', async () => {
  const [ana, ben, eve] = (await people(3)) as [TestUser, TestUser, TestUser];
  const roomId = await createRoom([ana, ben, eve], { receipts: true });
  await mustCall(ana, 'PUT', `/v1/users/me/blocks/${ben.id}`);
  const [ofAna, ofBen, ofEve] = await Promise.all([connect(here(), ana), connect(there(), ben), connect(there(), eve)]);
  const seq = await say(eve, roomId);
  await Promise.all([read(ana, roomId, seq), read(ben, roomId, seq)]);
  await Promise.all([ofEve.until(receiptOf(roomId, ana.id, seq)), ofEve.until(receiptOf(roomId, ben.id, seq))]);
  await read(eve, roomId, seq + 1);
  await say(ana, roomId);
  await read(eve, roomId, seq + 1);
  await Promise.all([ofAna, ofBen].map((device) => device.until(receiptOf(roomId, eve.id, seq + 1))));
  expect(receiptsIn(ofAna.frames, roomId)).not.toContain(ben.id);
  expect(receiptsIn(ofBen.frames, roomId)).not.toContain(ana.id);
  const seenBy = async (person: TestUser) =>
    (await mustCall(person, 'GET', `/v1/rooms/${roomId}/receipts`)).items!.map(({ userId }) => userId).sort();
  expect(await seenBy(ana)).toEqual([ana.id, eve.id].sort());
  expect(await seenBy(ben)).toEqual([ben.id, eve.id].sort());
  expect(await seenBy(eve)).toEqual([ana.id, ben.id, eve.id].sort());
  await Promise.all([ofAna, ofBen, ofEve].map((device) => device.close()));
});

test('a room with more members than room.receiptsMax lists receipts and sends none', async () => {
  const members = await people(5);
  const [ana, ben] = members as [TestUser, TestUser];
  const roomId = await createRoom(members, { receipts: true });
  const small = await createRoom([ana, ben], { receipts: true });
  const watching = await connect(there(), ana);
  const seq = await say(ana, roomId);
  await read(ben, roomId, seq);
  expect((await mustCall(ana, 'GET', `/v1/rooms/${roomId}/receipts`)).items).toContainEqual(
    expect.objectContaining({ userId: ben.id, lastReadSeq: seq }),
  );
  const marker = await say(ana, small);
  await read(ben, small, marker);
  await watching.until(receiptOf(small, ben.id, marker));
  expect(receiptsIn(watching.frames, roomId)).toEqual([]);
  await watching.close();
});

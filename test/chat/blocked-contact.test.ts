/** Nothing that a blocked user does reaches the user who blocks them, through any instance. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { connect, createRoom, type Frame, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: BorrowedFleet;
let here: string;
let there: string;
let ana: TestUser;
let ben: TestUser;
let cid: TestUser;

beforeAll(async () => {
  fleet = await borrowFleet();
  [here, there] = fleet.chats.map(({ url }) => url) as [string, string];
  [ana, ben, cid] = (await Promise.all([1, 2, 3].map(() => signUp(here)))) as [TestUser, TestUser, TestUser];
});
afterAll(() => fleet.end());

const block = (by: TestUser, target: TestUser) => mustCall(by, 'PUT', `/v1/users/me/blocks/${target.id}`);
const unblock = (by: TestUser, target: TestUser) => mustCall(by, 'DELETE', `/v1/users/me/blocks/${target.id}`);
const roomsOf = async (person: TestUser) =>
  (await mustCall(person, 'GET', '/v1/rooms?limit=100')).items!.map(({ id }) => id);
const typists = (frames: readonly Frame[], roomId: string) =>
  frames.filter((frame) => frame.type === 'typing' && frame.roomId === roomId).map(({ data }) => data!.userId);

test('typing in a conversation of two does not reach the blocker, and is refused like a message', async () => {
  const { id: roomId } = (await mustCall(ben, 'POST', '/v1/dms', { userIds: [ana.id] })) as { id: string };
  const [reader, typist] = [await connect(here, ana), await connect(there, ben)];
  await block(ana, ben);
  const typing = { type: 'typing', roomId, active: true };
  const [typed, said] = [await typist.ask(typing), await typist.say(roomId, 'hello?')];
  expect([typed.type, typed.code]).toEqual([said.type, said.code]);
  expect(typed).toMatchObject({ type: 'error', code: 'not_found' });
  await unblock(ana, ben);
  // The first frame to arrive is the one sent after the block was lifted.
  await expect.poll(async () => (await typist.ask({ ...typing, active: false })).type).toBe('ack');
  const first = await reader.until(({ type, roomId: id }) => type === 'typing' && id === roomId);
  expect(first.data).toMatchObject({ active: false });
  await Promise.all([reader.close(), typist.close()]);
});

test('typing in a larger room reaches all members except those who block the user', async () => {
  const roomId = await createRoom([cid, ana, ben]);
  await block(ana, ben);
  const sockets = [await connect(here, ana), await connect(here, cid), await connect(there, ana)];
  const [typist, other] = [await connect(there, ben), await connect(there, cid)];
  expect(await typist.ask({ type: 'typing', roomId, active: true })).toMatchObject({ type: 'ack' });
  await sockets[1]!.until(({ type, data }) => type === 'typing' && data?.userId === ben.id);
  await other.ask({ type: 'typing', roomId, active: true });
  for (const socket of [sockets[0]!, sockets[2]!]) {
    await socket.until(({ type, data }) => type === 'typing' && data?.userId === cid.id);
    expect(typists(socket.frames, roomId)).toEqual([cid.id]);
  }
  await unblock(ana, ben);
  await Promise.all([...sockets, typist, other].map((socket) => socket.close()));
});

test('creating a room with the blocker, or adding them to one, is answered as for an unknown user', async () => {
  await block(ana, ben);
  const before = await roomsOf(ana);
  const nobody = randomUUID();
  const roomId = await createRoom([ben, cid]);
  const attempts = (id: string): [string, string, unknown][] => [
    ['POST', '/v1/rooms', { name: 'Ours', visibility: 'private', memberIds: [id] }],
    ['POST', '/v1/rooms', { name: 'Ours', visibility: 'public', memberIds: [cid.id, id] }],
    ['POST', '/v1/dms', { userIds: [id] }],
    ['POST', '/v1/dms', { userIds: [cid.id, id] }],
    ['PUT', `/v1/rooms/${roomId}/members/${id}`, {}],
    ['PUT', `/v1/rooms/${roomId}/members/${id}`, { role: 'moderator' }],
  ];
  for (const url of [here, there])
    for (const [index, attempt] of attempts(ana.id).entries()) {
      const blocked = await ben.at(url).call(...attempt);
      const absent = await ben.at(url).call(...attempts(nobody)[index]!);
      expect([blocked.status, JSON.stringify(blocked.body)]).toEqual([
        404,
        JSON.stringify(absent.body).replaceAll(nobody, ana.id),
      ]);
    }
  expect(await roomsOf(ana)).toEqual(before);
  // With an unknown user and a blocker in the list, the error names the first of them.
  const both = (userIds: readonly string[]) => ben.call('POST', '/v1/dms', { userIds });
  expect((await both([ana.id, nobody])).body.errors).toMatchObject([{ message: `no user ${ana.id}` }]);
  expect((await both([nobody, ana.id])).body.errors).toMatchObject([{ message: `no user ${nobody}` }]);
  await unblock(ana, ben);
  expect((await ben.call(...attempts(ana.id)[0]!)).status).toBe(201);
});

test('other members may add both to one room, where the blocked user’s mentions do not count for the blocker', async () => {
  await block(ana, ben);
  const roomId = await createRoom([cid, ben]);
  await mustCall(cid, 'PUT', `/v1/rooms/${roomId}/members/${ana.id}`, {});
  const sent = await mustCall(ben, 'POST', `/v1/rooms/${roomId}/messages`, {
    clientId: randomUUID(),
    text: `@${ana.username} and @${cid.username}, look`,
  });
  expect(sent.mentions).toEqual([cid.id]);
  const edited = await mustCall(ben, 'PATCH', `/v1/rooms/${roomId}/messages/${sent.id as string}`, {
    text: `@${ana.username}, look again`,
  });
  expect(edited.mentions).toEqual([]);
  const room = (await mustCall(ana, 'GET', '/v1/rooms?limit=100')).items!.find(({ id }) => id === roomId);
  expect(room).toMatchObject({ mentions: 0 });
  await unblock(ana, ben);
});

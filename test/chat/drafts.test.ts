import { beforeAll, expect, test } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: BorrowedFleet;
let ana: TestUser;
let ben: TestUser;

beforeAll(async () => {
  fleet = await borrowFleet();
  [ana, ben] = (await Promise.all([1, 2].map(() => signUp(here())))) as [TestUser, TestUser];
  return () => fleet.end();
});

const [here, there] = [() => fleet.chats[0]!.url, () => fleet.chats[1]!.url];

interface DraftBody {
  roomId: string;
  threadId: string | null;
  text: string;
  attachmentIds: string[];
  updatedAt: string;
}

const draftsOf = async (user: TestUser) =>
  ((await mustCall(user, 'GET', '/v1/drafts')) as unknown as { items: DraftBody[] }).items;

test('a draft reaches the author’s devices on every instance, and nobody else', async () => {
  const room = await createRoom([ana, ben]);
  const [device, other] = [await connect(there(), ana), await connect(there(), ben)];
  const kept = await mustCall(ana, 'PUT', `/v1/rooms/${room}/draft`, { text: 'half a sent' });
  expect(kept).toEqual({
    roomId: room,
    threadId: null,
    text: 'half a sent',
    attachmentIds: [],
    updatedAt: expect.stringMatching(/^\d{4}-.*Z$/),
  });
  const frame = await device.until(({ type }) => type === 'draft.updated');
  const { roomId: _room, ...content } = kept;
  expect(frame).toEqual({
    type: 'draft.updated',
    roomId: room,
    data: { ...content, sessionId: expect.any(String) },
  });
  expect(await draftsOf(ana.at(there()))).toEqual([kept]);
  await ben.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'marker', text: 'marker' });
  await other.until(({ type }) => type === 'message.created');
  expect(other.frames.filter(({ type }) => type === 'draft.updated')).toEqual([]);
  expect(await draftsOf(ben)).toEqual([]);
  await mustCall(ana, 'DELETE', `/v1/rooms/${room}/draft`);
});

test('the last write wins, whichever instance it arrived at, and carries the latest time', async () => {
  const room = await createRoom([ana]);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, at) =>
      mustCall(ana.at(at % 2 ? here() : there()), 'PUT', `/v1/rooms/${room}/draft`, { text: `version ${at}` }),
    ),
  );
  const [kept] = (await draftsOf(ana)).filter(({ roomId }) => roomId === room);
  const latest = answers
    .map((answer) => answer.updatedAt as string)
    .sort()
    .at(-1);
  expect(kept?.updatedAt).toBe(latest);
  expect(answers.filter((answer) => answer.updatedAt === latest).map((answer) => answer.text)).toContain(kept?.text);
  await mustCall(ana, 'DELETE', `/v1/rooms/${room}/draft`);
});

test('a thread has a draft of its own, found by any of its messages', async () => {
  const room = await createRoom([ana]);
  const root = await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'root', text: 'root' });
  const reply = await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, {
    ...{ clientId: 'reply', text: 'reply', threadId: root.id },
  });
  await mustCall(ana, 'PUT', `/v1/rooms/${room}/draft`, { text: 'in the room' });
  const inThread = await mustCall(ana, 'PUT', `/v1/rooms/${room}/draft`, { text: 'in it', threadId: reply.id });
  expect(inThread).toMatchObject({ threadId: root.id });
  expect((await draftsOf(ana)).map(({ text }) => text)).toEqual(['in it', 'in the room']);
  await mustCall(ana, 'DELETE', `/v1/rooms/${room}/draft?threadId=${root.id}`);
  expect((await draftsOf(ana)).map(({ text }) => text)).toEqual(['in the room']);
  // An empty draft is none.
  await mustCall(ana, 'PUT', `/v1/rooms/${room}/draft`, { text: ' \n' });
  expect(await draftsOf(ana)).toEqual([]);
  const elsewhere = await createRoom([ana]);
  const wrong = await ana.call('PUT', `/v1/rooms/${elsewhere}/draft`, { text: 'x', threadId: root.id });
  expect(wrong).toMatchObject({ status: 404, body: { errors: [{ path: '/threadId' }] } });
});

test('a draft is hidden while its author is not a member, and belongs to members only', async () => {
  const room = await createRoom([ben, ana]);
  await mustCall(ana, 'PUT', `/v1/rooms/${room}/draft`, { text: 'unsaid' });
  await mustCall(ben, 'DELETE', `/v1/rooms/${room}/members/${ana.id}`);
  expect(await draftsOf(ana)).toEqual([]);
  expect((await ana.call('PUT', `/v1/rooms/${room}/draft`, { text: 'more' })).status).toBe(404);
  await mustCall(ben, 'PUT', `/v1/rooms/${room}/members/${ana.id}`);
  expect((await draftsOf(ana)).map(({ text }) => text)).toEqual(['unsaid']);
  await mustCall(ana, 'DELETE', `/v1/rooms/${room}/draft`);
  await mustCall(ana, 'DELETE', `/v1/rooms/${room}/draft`);
});

test('drafts are bounded in number and length, also when they are written at once', async () => {
  const cyd = await signUp(here());
  const rooms = await Promise.all(Array.from({ length: 6 }, () => createRoom([cyd])));
  const answers = await Promise.all(
    rooms.map((room, at) =>
      cyd.at(at % 2 ? here() : there()).call('PUT', `/v1/rooms/${room}/draft`, { text: 'one of many' }),
    ),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 409, 409, 409]);
  const kept = await draftsOf(cyd);
  expect(kept).toHaveLength(3);
  const again = await cyd.call('PUT', `/v1/rooms/${kept[0]!.roomId}/draft`, { text: 'changed' });
  expect(again.status).toBe(200);
  const long = await cyd.call('PUT', `/v1/rooms/${kept[0]!.roomId}/draft`, { text: 'x'.repeat(8001) });
  expect(long).toMatchObject({ status: 413, body: { code: 'too_large' } });
});

/** Messages from before a user joined are not unread for them, wherever unread messages are counted. */
import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: SharedParley;
beforeAll(async () => {
  parley = await useSharedParley();
});

const say = (person: TestUser, roomId: string, text: string) =>
  mustCall(person, 'POST', `/v1/rooms/${roomId}/messages`, { clientId: randomUUID(), text });

interface Meeting {
  readonly roomId: string;
  readonly owner: TestUser;
  readonly ben: TestUser;
}

const join = ({ roomId, ben }: Meeting) => mustCall(ben, 'PUT', `/v1/rooms/${roomId}/members/me`, {});
const ways: Readonly<Record<string, (meeting: Meeting) => Promise<unknown>>> = {
  joins: join,
  'is added': ({ roomId, owner, ben }) => mustCall(owner, 'PUT', `/v1/rooms/${roomId}/members/${ben.id}`, {}),
  'accepts an invite': async ({ roomId, owner, ben }) => {
    const { code } = await mustCall(owner, 'POST', `/v1/rooms/${roomId}/invites`, {});
    return mustCall(ben, 'POST', `/v1/invites/${code as string}/accept`);
  },
  rejoins: async (meeting) => {
    const { roomId, owner, ben } = meeting;
    await join(meeting);
    await say(owner, roomId, `for @${ben.username}, who leaves this unread`);
    await mustCall(ben, 'DELETE', `/v1/rooms/${roomId}/members/me`);
    await say(owner, roomId, 'said while they were away');
    return join(meeting);
  },
};

const cases = Object.keys(ways).flatMap((way) => ['all', 'joined'].map((history) => [way, history] as const));

test.each(cases)('a user who %s has nothing unread in a room with history "%s"', async (way, history) => {
  const [owner, ben] = await Promise.all([signUp(parley.url), signUp(parley.url)]);
  const roomId = await createRoom([owner], { visibility: 'public', history });
  for (let n = 1; n <= 6; n++) await say(owner, roomId, `${n} before @${ben.username} came`);
  await ways[way]!({ roomId, owner, ben });
  const mine = async () => (await mustCall(ben, 'GET', '/v1/rooms')).items!.find(({ id }) => id === roomId)!;
  const before = await mine();
  expect(before).toMatchObject({ unread: 0, mentions: 0 });
  // Everything up to the event of their join.
  expect(before.lastReadSeq).toBe((before.seq as number) - 1);
  const greeted = await connect(parley.url, ben);
  const welcomed = (greeted.welcome.rooms as Record<string, unknown>[]).find(({ id }) => id === roomId);
  expect(welcomed).toMatchObject({ unread: 0, mentions: 0, lastReadSeq: before.lastReadSeq });
  expect(await greeted.ask({ type: 'read', roomId, seq: 1 })).toMatchObject({ type: 'ack', unread: 0, mentions: 0 });

  await say(owner, roomId, `welcome, @${ben.username}`);
  expect(await mine()).toMatchObject({ unread: 1, mentions: 1, lastReadSeq: before.lastReadSeq });
  expect(await mustCall(ben, 'PUT', `/v1/rooms/${roomId}/read`, { seq: 2 })).toMatchObject({ unread: 1, mentions: 1 });
  await greeted.close();
});

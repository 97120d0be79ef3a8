/** Changes of one room that two instances append at the same time. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { type HeldRow, holdLog, holdMute } from '../harness/held-row.ts';
import { type Answer, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

vi.setConfig({ testTimeout: 120_000 });

let fleet: BorrowedFleet;
let here: string;
let there: string;

beforeAll(async () => {
  fleet = await borrowFleet();
  [here, there] = fleet.chats.map(({ url }) => url) as [string, string];
});
afterAll(() => fleet.end());

/** Holds the room's next seq until two requests wait for it, the first before the second. @returns their answers */
async function race(
  { roomId, owner }: { roomId: string; owner: TestUser },
  first: () => Promise<Answer>,
  second: () => Promise<Answer>,
): Promise<Answer[]> {
  const { seq } = await mustCall(owner, 'GET', `/v1/rooms/${roomId}`);
  const held: HeldRow = await holdLog(fleet.database, { roomId, seq: (seq as number) + 1, userId: owner.id });
  const answers = [first()];
  await held.waiting(1);
  answers.push(second());
  await held.waiting(2);
  await held.release();
  return Promise.all(answers);
}

interface Meeting {
  readonly roomId: string;
  readonly owner: TestUser;
  readonly person: TestUser;
  readonly code: string;
}

const acts: Readonly<Record<string, (meeting: Meeting, url: string) => Promise<Answer>>> = {
  joining: ({ roomId, person }, url) => person.at(url).call('PUT', `/v1/rooms/${roomId}/members/me`, {}),
  'being added': ({ roomId, owner, person }, url) =>
    owner.at(url).call('PUT', `/v1/rooms/${roomId}/members/${person.id}`, {}),
  'accepting an invite': ({ person, code }, url) => person.at(url).call('POST', `/v1/invites/${code}/accept`),
};

test.each([
  ['joining', 'joining'],
  ['being added', 'being added'],
  ['accepting an invite', 'accepting an invite'],
  ['joining', 'being added'],
  ['accepting an invite', 'joining'],
  ['being added', 'accepting an invite'],
])('%s and %s through two instances at once: the user joins once and both requests succeed', async (first, second) => {
  const [owner, person] = await Promise.all([signUp(here), signUp(there)]);
  const roomId = await createRoom([owner], { visibility: 'public' });
  const { code } = await mustCall(owner, 'POST', `/v1/rooms/${roomId}/invites`, { maxUses: 5 });
  const meeting = { roomId, owner, person, code: code as string };
  const answers = await race(
    meeting,
    () => acts[first]!(meeting, here),
    () => acts[second]!(meeting, there),
  );
  expect(answers.map(({ status, body }) => (status < 300 ? 'ok' : body))).toEqual(['ok', 'ok']);
  const { events } = (await mustCall(person, 'GET', `/v1/rooms/${roomId}/events?after=0`)) as {
    events?: { type: string; data: { user: { id: string } } }[];
  };
  expect(events!.filter(({ type, data }) => type === 'member.joined' && data.user.id === person.id)).toHaveLength(1);
  const { memberCount } = await mustCall(owner, 'GET', `/v1/rooms/${roomId}`);
  expect(memberCount).toBe(2);
});

const send = (person: TestUser, roomId: string, text: string) =>
  person.call('POST', `/v1/rooms/${roomId}/messages`, { clientId: randomUUID(), text });
const outcomeOf = ({ status, body }: Answer) => body.code ?? status;

/** A room that both instances hold in memory. */
async function openRoom(settings: Record<string, unknown> = {}) {
  const [owner, person] = await Promise.all([signUp(here), signUp(there)]);
  const roomId = await createRoom([owner, person], settings);
  await Promise.all([here, there].map((url) => mustCall(person.at(url), 'GET', `/v1/rooms/${roomId}/members`)));
  return { owner, person, roomId };
}

test('in slow mode one of two messages is stored that are sent through two instances at once', async () => {
  const { owner, person, roomId } = await openRoom({ slowModeSeconds: 600 });
  const answers = await race(
    { roomId, owner },
    () => send(person.at(here), roomId, 'first'),
    () => send(person.at(there), roomId, 'second'),
  );
  // Either may be first.
  expect(answers.map(outcomeOf).toSorted()).toEqual([201, 'slow_mode']);
});

test('a refused message does not count in slow mode', async () => {
  const { owner, person, roomId } = await openRoom({ slowModeSeconds: 600 });
  const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
  await mustCall(owner, 'PUT', `/v1/rooms/${roomId}/members/${person.id}/mute`, { seconds: 600 });
  const muted = await send(person.at(here), roomId, 'while muted');
  await mustCall(owner, 'DELETE', `/v1/rooms/${roomId}/members/${person.id}/mute`);
  const answers = [muted, await send(person.at(here), roomId, gtube), await send(person.at(here), roomId, 'after all')];
  expect(answers.map(outcomeOf)).toEqual(['muted', 'message_blocked', 201]);
});

test.each([
  // Another instance may have refused its retry for certain, so this refusal is not a definite one.
  ['message', 'unavailable', (person: TestUser, roomId: string) => send(person, roomId, 'too late')],
  [
    'edit',
    'muted',
    (person: TestUser, roomId: string, id: string) =>
      person.call('PATCH', `/v1/rooms/${roomId}/messages/${id}`, { text: 'too late' }),
  ],
] as const)('a mute that comes first through another instance stops the %s behind it', async (_what, code, act) => {
  const { owner, person, roomId } = await openRoom();
  const { id, seq } = (await send(person, roomId, 'in time')).body as { id: string; seq: number };
  const mute = await holdMute(fleet.database, { roomId, seq: seq + 1, userId: person.id, by: owner.id });
  const late = act(person.at(there), roomId, id);
  await mute.waiting(1);
  await mute.release();
  expect(outcomeOf(await late)).toBe(code);
  const { messages } = (await mustCall(owner, 'GET', `/v1/rooms/${roomId}/messages`)) as {
    messages?: { text: string }[];
  };
  expect(messages!.map(({ text }) => text)).toEqual(['in time']);
});

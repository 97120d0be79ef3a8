/** How a text that looks like spam is treated, depending on its author and the room. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';
import { openSquare, queueOf, say, startTown, type Town } from './moderation-town.ts';

let town: Town;

beforeAll(async () => {
  // These tests send near-copies of each other.
  town = await startTown({
    PARLEY_MODERATION_FLOOD_AUTHOR_MESSAGES: '60',
    PARLEY_MODERATION_TIMEOUT: '10s',
  });
});
afterAll(() => town.end());

const adverts = [
  'CONGRATULATIONS! You have won a FREE prize of $1000 cash. Call 09061701461 now to claim, text WIN to 80086',
  'Get 200% bonus on your first deposit! Best online casino, 500 free spins, register now https://spinroyal.example.bet/?ref=9912',
  'Earn $5000 per week from home, no experience needed! DM me on WhatsApp +1 555 010 7788 to start today 💰💰',
];
const smallTalk = [
  'good morning, is the projector free this afternoon?',
  'I put the minutes of yesterday in the wiki',
  'the bus was late again, sorry',
  'does anybody remember where we keep the spare cables',
  'found them, second drawer from the left',
  'lunch at half past twelve would suit me',
  'the printer on the third floor is out of paper',
  'thanks, that helped a lot',
  'I will be out on Thursday because of the dentist',
  'here is what we agreed on about the shelves',
];

let nextKey = 0;

/** The outcome of a send: `sent`, or the labels that the text was refused for. */
async function outcomeOf(person: TestUser, roomId: string, text: string): Promise<string> {
  const { status, body } = await person.call('POST', `/v1/rooms/${roomId}/messages`, {
    clientId: `send-${nextKey++}`,
    text,
  });
  if (status === 201) return 'sent';
  return (body.labels as { name: string; id: string }[]).map(({ name, id }) => `${name} ${id}`).join();
}

async function talk(person: TestUser, roomId: string): Promise<void> {
  for (const line of smallTalk) await say(person, roomId, line);
}

async function openDirect(person: TestUser, other: TestUser): Promise<string> {
  const { id } = await mustCall(person, 'POST', '/v1/dms', { userIds: [other.id] });
  return id as string;
}

test('an obvious advert is refused as the first message of a new account, on either instance', async () => {
  const { roomId, author } = await openSquare(town.here);
  for (const advert of adverts) expect(await outcomeOf(author, roomId, advert)).toContain('spam model+');
  const other = await openSquare(town.there);
  expect(await outcomeOf(other.author, other.roomId, adverts[0]!)).toContain('spam model+');
});

test('the same text by a regular of the room is delivered, and queued for moderators', async () => {
  const { roomId, owner, author } = await openSquare(town.here);
  await talk(author, roomId);
  expect(await outcomeOf(author, roomId, adverts[0]!)).toBe('sent');
  expect(await outcomeOf(author.at(town.there), roomId, adverts[1]!)).toBe('sent');
  await expect
    .poll(async () =>
      (await queueOf(owner, `roomId=${roomId}&state=open`)).map(({ message }) => message.text).toSorted(),
    )
    .toEqual([adverts[0], adverts[1]].toSorted());
});

test('no spam-like text is refused in a direct message once the other user has written', async () => {
  const [ana, ben] = [await signUp(town.here), await signUp(town.here)];
  await createRoom([ana, ben]);
  const direct = await openDirect(ana, ben);
  expect(await outcomeOf(ana, direct, adverts[0]!)).not.toBe('sent');
  await say(ben.at(town.there), direct, 'hi, who is this?');
  for (const advert of adverts) expect(await outcomeOf(ana, direct, advert)).toBe('sent');
});

test('copies of a spam-like text are refused from every author', async () => {
  const { roomId, author } = await openSquare(town.here);
  await talk(author, roomId);
  const outcomes: string[] = [];
  for (let copy = 0; copy < 5; copy++) outcomes.push(await outcomeOf(author, roomId, adverts[2]!));
  expect(outcomes.slice(0, 3)).toEqual(['sent', 'sent', 'sent']);
  expect(outcomes[3]).toContain('spam model+copies');
  expect(outcomes[4]).not.toBe('sent');
});

test('a room rule that only flags counts as the second sign of spam', async () => {
  const { roomId, owner, author } = await openSquare(town.here);
  await talk(author, roomId);
  const rule = { kind: 'word', pattern: 'casino', action: 'flag', roomId };
  await mustCall(owner, 'POST', '/v1/moderation/rules', rule);
  // The rule is in force once it queues an innocent text.
  const isQueued = async () => {
    await say(author, roomId, `the casino downtown is a library now ${nextKey++}`);
    return (await queueOf(owner, `roomId=${roomId}&state=open`)).some(({ rules }) => (rules as object[]).length > 0);
  };
  await expect.poll(isQueued, { interval: 200 }).toBe(true);
  expect(await outcomeOf(author, roomId, adverts[1]!)).toContain('spam model+rule');
});

test('edits are judged like messages of the same author', async () => {
  const { roomId, author } = await openSquare(town.here);
  const { id } = await say(author, roomId, 'hello');
  const edit = () => author.call('PATCH', `/v1/rooms/${roomId}/messages/${id}`, { text: adverts[0] });
  expect((await edit()).status).toBe(422);
  const other = await openSquare(town.here);
  await talk(other.author, other.roomId);
  const message = await say(other.author, other.roomId, 'hello');
  const path = `/v1/rooms/${other.roomId}/messages/${message.id}`;
  expect((await other.author.call('PATCH', path, { text: adverts[0] })).status).toBeLessThan(300);
});

const everyday = [
  ['en', 'We made a Discord for the statistics study group, hop in whenever: https://discord.gg/k7Qp2xV'],
  [
    'de',
    'Hier der Link zur WhatsApp-Gruppe für die Klassenfahrt, bitte nur Eltern: https://chat.whatsapp.com/H3kdPq99aa',
  ],
  ['fr', 'ma petite chaîne vient de dépasser les 100 abonnés, merci à vous tous vraiment'],
  ['en', "We're hiring a junior backend developer at my company, remote ok, salary 45-55k, ask me anything"],
  ['en', 'our new single is out on friday!! would love to know what you think of the chorus'],
  ['ru', 'продам билет на концерт в пятницу за свою цену, сам не могу пойти, пишите в личку'],
  ['en', "call me on WhatsApp +44 7700 900123 when you land, my normal number doesn't work here"],
  ['en', 'https://www.youtube.com/watch?v=dQw4w9WgXcQ'],
] as const;

test.each(everyday)(
  'an everyday text is delivered even as the first message of a new account (%s): %s',
  async (_, text) => {
    const { roomId, author } = await openSquare(town.here);
    expect(await outcomeOf(author, roomId, text)).toBe('sent');
  },
);

import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';
import { borrowTown, openSquare, queueOf, say, type Town } from './moderation-town.ts';

let town: Town;

beforeAll(async () => {
  town = await borrowTown();
});
afterAll(() => town.end());

interface NewRule {
  kind: string;
  pattern: string;
  action?: string;
  roomId?: string;
  note?: string;
}

const make = (person: TestUser, rule: NewRule) =>
  mustCall(person, 'POST', '/v1/moderation/rules', { action: 'block', ...rule });

let nextKey = 0;
/** The outcome of a send: 201 or an error code. */
async function outcomeOf(person: TestUser, roomId: string, text: string): Promise<string> {
  const { status, body } = await person.call('POST', `/v1/rooms/${roomId}/messages`, {
    clientId: `send-${nextKey++}`,
    text,
  });
  return status === 201 ? 'sent' : String(body.code);
}

/** Rules are in force on every engine within five seconds. */

test('room rules of every kind apply in their room only, on both instances, and are named to author and moderator', async () => {
  const { roomId, owner, author } = await openSquare(town.here);
  const other = await createRoom([author]);
  const word = await make(owner, { kind: 'word', pattern: 'Zugzwang', roomId, note: 'not here' });
  await make(owner.at(town.there), { kind: 'phrase', pattern: 'purple monkey dishwasher', roomId });
  await make(owner, { kind: 'regex', pattern: 'ticket[- ]?\\d{4,}', roomId });
  await make(owner, { kind: 'link', pattern: 'shop.example', roomId });
  await make(owner, { kind: 'word', pattern: 'sourdough', action: 'flag', roomId });
  expect(word).toMatchObject({
    kind: 'word',
    pattern: 'Zugzwang',
    roomId,
    note: 'not here',
    createdBy: { id: owner.id },
  });

  const there = author.at(town.there);
  await expect.poll(() => outcomeOf(there, roomId, 'what a zugzwang'), { interval: 200 }).toBe('message_blocked');
  await expect
    .poll(() => outcomeOf(author, roomId, 'see www.shop.example/now'), { interval: 200 })
    .toBe('message_blocked');
  const refused = [
    'z u g z w a n g',
    'ZUGZW4NG',
    'zug\u200bzwang',
    'Purple Monkey, Dishwasher!',
    'my TICKET-12345',
    'https://SHOP.example',
    'look: shop%2Eexample/x',
  ];
  // Either processing instance may judge, and each reads new rules at its own interval.
  for (const text of refused)
    await expect
      .poll(async () => [text, await outcomeOf(author, roomId, text)], { interval: 200 })
      .toEqual([text, 'message_blocked']);
  for (const text of ['purple dishwasher', 'ticket 12', 'workshop.example.org', 'a zugzwangish thing in another room'])
    expect([text, await outcomeOf(author, other, text)]).toEqual([text, 'sent']);
  expect(await outcomeOf(author, other, 'what a zugzwang')).toBe('sent');

  const why = await author.call('POST', `/v1/rooms/${roomId}/messages`, { clientId: 'why', text: 'oh Zugzwang' });
  expect(why.body.labels).toEqual([
    expect.objectContaining({ name: 'rule', matched: 'Zugzwang', start: 3, end: 11, id: `rule:${word.id as string}` }),
  ]);
  const said: unknown[] = [];
  const flagged = async () => {
    said.push((await say(author, roomId, `my sourdough, loaf ${said.length + 1}, is fine`)).id);
    // The texts repeated until the rules were in force may be queued as a flood.
    entry = (await queueOf(owner, `roomId=${roomId}`)).find(({ rules }) => Array.isArray(rules) && rules.length > 0);
    return entry;
  };
  let entry: Awaited<ReturnType<typeof queueOf>>[number] | undefined;
  await expect.poll(flagged, { interval: 200 }).toBeDefined();
  expect(said).toContain(entry!.message.id);
  expect(entry).toMatchObject({
    rules: [{ kind: 'word', pattern: 'sourdough', action: 'flag' }],
  });
});

test('room rules apply to edits, room names and topics; deployment rules to display names and new rooms', async () => {
  const admin = await town.hire('admin');
  const { roomId, owner, author } = await openSquare(town.here);
  await make(owner, { kind: 'word', pattern: 'gribblefluff', roomId });
  const rule = await make(admin, { kind: 'word', pattern: 'snorblat' });
  const message = await say(author, roomId, 'fine');
  const edit = (text: string) => author.call('PATCH', `/v1/rooms/${roomId}/messages/${message.id}`, { text });
  for (const text of ['gribblefluff', 'snorblat'])
    await expect.poll(() => outcomeOf(author, roomId, text), { interval: 200 }).toBe('message_blocked');
  const refusals = [
    await owner.call('PATCH', `/v1/rooms/${roomId}`, { name: 'gribblefluff house' }),
    await owner.call('PATCH', `/v1/rooms/${roomId}`, { topic: 'all about gribblefluff' }),
    await owner.call('PATCH', `/v1/rooms/${roomId}`, { topic: 'all about snorblat' }),
    await owner.call('POST', '/v1/rooms', { name: 'snorblat', visibility: 'public' }),
    await author.call('PATCH', '/v1/users/me', { displayName: 'Mr Snorblat' }),
    await edit('gribblefluff'),
    await edit('snorblat'),
  ];
  expect(refusals.map(({ status, body }) => [status, body.code])).toEqual(refusals.map(() => [422, 'message_blocked']));
  expect(JSON.stringify(await mustCall(owner, 'GET', `/v1/rooms/${roomId}`))).not.toMatch(/gribble|snorblat/);
  expect(await mustCall(owner, 'GET', `/v1/rooms/${roomId}/messages/${message.id}`)).toMatchObject({ text: 'fine' });
  await mustCall(admin, 'DELETE', `/v1/moderation/rules/${rule.id as string}`);
  await expect.poll(async () => (await edit('snorblat')).status, { interval: 200 }).toBe(200);
});

test('a pattern with catastrophic backtracking does no harm, and an invalid one is refused with the reason', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  await make(owner, { kind: 'regex', pattern: '^(a+)+$', roomId });
  await expect.poll(() => outcomeOf(author, roomId, 'aaaa'), { interval: 200 }).toBe('message_blocked');
  const hostile = `${'a'.repeat(7000)}!`;
  expect(await outcomeOf(reader, roomId, hostile)).toBe('sent');
  const lost = await Promise.all(
    town.fleet.processings.map(async ({ processingUrl }) => (await fetch(`${processingUrl}/metrics`)).text()),
  );
  expect(lost.join('')).not.toMatch(/parley_engine_lost_threads_total\{[^}]*\} [1-9]/);

  const tried: [NewRule, RegExp][] = [
    [{ kind: 'regex', pattern: '(' }, /missing closing/],
    [{ kind: 'regex', pattern: '(?=a)b' }, /look-around/],
    [{ kind: 'regex', pattern: '(a)\\1' }, /back-references/],
    [{ kind: 'regex', pattern: 'a*' }, /every message/],
    [{ kind: 'regex', pattern: '([a-z]{1,90} ){1,90}' }, /too large|repeat/],
    [{ kind: 'regex', pattern: 'a'.repeat(600) }, /longer than 500/],
    [{ kind: 'word', pattern: 'two words' }, /phrase/],
    [{ kind: 'word', pattern: '   ' }, /empty/],
    [{ kind: 'link', pattern: 'not a host' }, /host/],
    [{ kind: 'word', pattern: 'nul\u0000' }, /not a text/],
  ];
  for (const [rule, reason] of tried) {
    const { status, body } = await owner.call('POST', '/v1/moderation/rules', { action: 'block', roomId, ...rule });
    expect([rule.pattern, status, body.code]).toEqual([rule.pattern, 400, 'invalid']);
    expect(body.errors).toEqual([{ path: '/pattern', message: expect.stringMatching(reason) as string }]);
  }
  const unknown = await owner.call('POST', '/v1/moderation/rules', {
    kind: 'word',
    pattern: 'x',
    action: 'burn',
    roomId,
  });
  expect(unknown.status).toBe(400);
});

test('a dry run says what the rule would have done in the given days, and stores nothing', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  const old = await say(author, roomId, 'marzipan long ago');
  await town.sql`update events set at = now() - interval '9 days' where message_id = ${old.id}`;
  const hits = [await say(author, roomId, 'marzipan!'), await say(reader, roomId, 'more M4rz1pan')];
  await say(reader, roomId, 'nothing here');
  const removed = await say(author, roomId, 'marzipan, deleted');
  await mustCall(author, 'DELETE', `/v1/rooms/${roomId}/messages/${removed.id}`);
  const rule = { kind: 'word', pattern: 'marzipan', action: 'block', roomId };
  const rehearse = (query: string) => mustCall(owner, 'POST', `/v1/moderation/rules?dryRun=true${query}`, rule);
  const week = await rehearse('');
  expect(week).toMatchObject({
    dryRun: true,
    days: 7,
    checked: 3,
    complete: true,
    matched: 2,
    wouldBlock: 2,
    wouldFlag: 0,
    authors: 2,
  });
  const examples = week.examples as { messageId: string; text: string; labels: { matched: string }[] }[];
  expect(examples.map(({ messageId, labels }) => [messageId, labels[0]!.matched])).toEqual([
    [hits[1]!.id, 'M4rz1pan'],
    [hits[0]!.id, 'marzipan'],
  ]);
  expect(await rehearse('&days=30')).toMatchObject({ checked: 4, matched: 3 });
  expect((await mustCall(owner, 'GET', `/v1/moderation/rules?roomId=${roomId}`)).items).toEqual([]);
  expect(await outcomeOf(author, roomId, 'still marzipan')).toBe('sent');
  expect((await owner.call('POST', '/v1/moderation/rules?dryRun=true&days=1000', rule)).status).toBe(400);
  expect((await reader.call('POST', '/v1/moderation/rules?dryRun=true', rule)).status).toBe(403);
});

test('a dry run by staff covers all rooms but no direct messages', async () => {
  const admin = await town.hire('admin');
  const { roomId, author } = await openSquare(town.here, { visibility: 'public' });
  const { id: dm } = await mustCall(author, 'POST', '/v1/dms', { userIds: [(await signUp(town.here)).id] });
  await say(author, roomId, 'quixotry in a room');
  await say(author, dm as string, 'quixotry in private');
  const tried = await mustCall(admin, 'POST', '/v1/moderation/rules?dryRun=true', {
    kind: 'word',
    pattern: 'quixotry',
    action: 'flag',
  });
  expect(tried).toMatchObject({ matched: 1, wouldFlag: 1, examples: [{ roomId, text: 'quixotry in a room' }] });
});

test('a dry run for a direct message checks no messages', async () => {
  const moderator = await town.hire('moderator');
  const [author, other] = [await signUp(town.here), await signUp(town.here)];
  const { id: dm } = await mustCall(author, 'POST', '/v1/dms', { userIds: [other.id] });
  await say(author, dm as string, 'what nobody else is to read');
  const tried = await mustCall(moderator, 'POST', '/v1/moderation/rules?dryRun=true', {
    ...{ kind: 'regex', pattern: '.', action: 'flag', roomId: dm },
  });
  expect(tried).toMatchObject({ checked: 0, matched: 0, examples: [] });
});

test('rules are created once per Idempotency-Key, listed by cursor, and deleted only by moderators', async () => {
  const { roomId, owner, author } = await openSquare(town.here);
  const stranger = await signUp(town.here);
  const body = { kind: 'word', pattern: 'alpha', action: 'block', roomId };
  const answers = [1, 2].map(() => owner.call('POST', '/v1/moderation/rules', body, { 'idempotency-key': 'once' }));
  await Promise.all(answers);
  const again = await owner.call('POST', '/v1/moderation/rules', body, { 'idempotency-key': 'once' });
  expect(again.status).toBe(201);
  for (const pattern of ['beta', 'gamma']) await make(owner, { kind: 'word', pattern, roomId });
  const page = await mustCall(owner, 'GET', `/v1/moderation/rules?roomId=${roomId}&limit=2`);
  const rest = await mustCall(
    owner,
    'GET',
    `/v1/moderation/rules?roomId=${roomId}&limit=2&cursor=${page.nextCursor as string}`,
  );
  expect([...page.items!, ...rest.items!].map(({ pattern }) => pattern)).toEqual(['gamma', 'beta', 'alpha']);
  expect(rest.nextCursor).toBeNull();

  const path = `/v1/moderation/rules/${again.body.id as string}`;
  const refusals = [];
  for (const person of [author, stranger]) refusals.push((await person.call('DELETE', path)).status);
  expect(refusals).toEqual([403, 404]);
  expect((await owner.call('DELETE', path)).status).toBe(204);
  expect((await owner.call('DELETE', path)).status).toBe(404);
  const deployment = await owner.call('POST', '/v1/moderation/rules', { kind: 'word', pattern: 'x', action: 'block' });
  expect(deployment).toMatchObject({ status: 403, body: { code: 'forbidden' } });
});

test('no message is lost or left unjudged while rules change under load', async () => {
  const { roomId, owner, author } = await openSquare(town.here);
  const ids: string[] = [];
  let sending = true;
  const outcomes: string[] = [];
  const senders = [author, author.at(town.there)].map(async (person) => {
    while (sending) outcomes.push(await outcomeOf(person, roomId, 'an ordinary line'));
  });
  for (let round = 0; round < 6; round++) {
    const { id } = await make(owner, { kind: 'word', pattern: `reload${round}`, roomId });
    ids.push(id as string);
    await expect.poll(() => outcomeOf(author, roomId, `reload${round}`), { interval: 200 }).toBe('message_blocked');
  }
  sending = false;
  await Promise.all(senders);
  expect([...new Set(outcomes)]).toEqual(['sent']);
  expect(outcomes.length).toBeGreaterThan(20);
});

test('the local engine applies the same rules when the processing role is down', async () => {
  const { roomId, owner, author } = await openSquare(town.here);
  await make(owner, { kind: 'word', pattern: 'flibbertigibbet', roomId });
  await expect.poll(() => outcomeOf(author, roomId, 'flibbertigibbet'), { interval: 200 }).toBe('message_blocked');
  await town.fleet.processings[0]!.kill();
  await make(owner, { kind: 'word', pattern: 'widdershins', roomId });
  await expect
    .poll(() => outcomeOf(author.at(town.there), roomId, 'widdershins'), { interval: 200 })
    .toBe('message_blocked');
  expect(await outcomeOf(author, roomId, 'flibbertigibbet')).toBe('message_blocked');
  expect(await outcomeOf(author, roomId, 'all is well')).toBe('sent');
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, mustCall, signUp, type TestUser } from '../harness/test-client.ts';
import { borrowTown, openSquare, queueOf, report, say, type Town } from './moderation-town.ts';

let town: Town;

beforeAll(async () => {
  town = await borrowTown();
});
afterAll(() => town.end());

const text = (message: unknown) => (message as { text: string }).text;

test('a report opens one entry with the message, its context, the reports and the author’s history', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  for (const line of ['one', 'two']) await say(reader, roomId, line);
  const bad = await say(author, roomId, 'buy my things');
  await say(owner, roomId, 'please stop');
  const id = await report(reader.at(town.there), roomId, bad.id, 'advert');
  expect(await report(owner, roomId, bad.id, 'again and again')).toBe(id);

  const [entry, ...more] = await queueOf(owner.at(town.there), `roomId=${roomId}`);
  expect(more).toEqual([]);
  expect(entry).toMatchObject({
    id,
    state: 'open',
    source: 'report',
    room: { id: roomId, kind: 'room' },
    message: { id: bad.id, text: 'buy my things', sender: { id: author.id } },
    reportCount: 2,
    author: { user: { id: author.id }, memberRole: 'member', messages: 1, reported: 1, removed: 0, banned: false },
    decision: null,
  });
  const { context, reports } = entry as unknown as {
    context: { before: unknown[]; after: unknown[] };
    reports: { reporter: { id: string }; reason: string }[];
  };
  expect([context.before.map(text), context.after.map(text)]).toEqual([['one', 'two'], ['please stop']]);
  expect(reports.map(({ reporter, reason }) => [reporter.id, reason])).toEqual([
    [reader.id, 'advert'],
    [owner.id, 'again and again'],
  ]);
});

test('a repeated report replaces the reason of the first one', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  const { id: messageId } = await say(author, roomId, 'hm');
  const path = `/v1/rooms/${roomId}/messages/${messageId}/report`;
  const statuses = [];
  for (const reason of ['first', 'second']) statuses.push((await reader.call('POST', path, { reason })).status);
  expect(statuses).toEqual([201, 200]);
  const [entry] = await queueOf(owner, `roomId=${roomId}`);
  expect(entry).toMatchObject({ reportCount: 1, reports: [{ reason: 'second' }] });
});

test('only readers report a message, but not its author, and not a deleted message', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  const stranger = await signUp(town.here);
  const message = await say(author, roomId, 'hm');
  const path = `/v1/rooms/${roomId}/messages/${message.id}/report`;
  expect(await stranger.call('POST', path, { reason: 'x' })).toMatchObject({ status: 404 });
  expect(await author.call('POST', path, { reason: 'x' })).toMatchObject({ status: 400, body: { code: 'invalid' } });
  expect(await reader.call('POST', path, { reason: '  ' })).toMatchObject({ status: 400 });
  expect(await reader.call('POST', path, {})).toMatchObject({ status: 400 });
  await mustCall(author, 'DELETE', `/v1/rooms/${roomId}/messages/${message.id}`);
  expect(await reader.call('POST', path, { reason: 'x' })).toMatchObject({ status: 404 });
  expect(await queueOf(owner, `roomId=${roomId}`)).toEqual([]);
});

test('only moderators of the room and staff see the queue; for others it is forbidden or not_found', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  const stranger = await signUp(town.here);
  const moderator = await town.hire('moderator');
  const message = await say(author, roomId, 'hm');
  const id = await report(reader, roomId, message.id);
  const refusals = [];
  for (const [person, path] of [
    [reader, `queue?roomId=${roomId}`],
    [reader, `queue/${id}`],
    [reader, 'queue'],
    [owner, 'queue'],
    [stranger, `queue?roomId=${roomId}`],
    [stranger, `queue/${id}`],
    [stranger, `audit?roomId=${roomId}`],
    [reader, `rules?roomId=${roomId}`],
    [reader, `bans?roomId=${roomId}`],
    [reader, `refusals?roomId=${roomId}`],
  ] as const)
    refusals.push((await person.call('GET', `/v1/moderation/${path}`)).status);
  expect(refusals).toEqual([403, 403, 403, 403, 404, 404, 404, 403, 403, 403]);
  expect((await reader.call('POST', `/v1/moderation/queue/${id}`, { decision: 'remove' })).status).toBe(403);
  expect((await stranger.call('POST', `/v1/moderation/queue/${id}`, { decision: 'remove' })).status).toBe(404);
  expect((await queueOf(moderator, 'limit=100')).map((entry) => entry.id)).toContain(id);
  await mustCall(moderator, 'POST', `/v1/moderation/queue/${id}`, { decision: 'approve' });
  expect(await queueOf(owner, `roomId=${roomId}`)).toEqual([]);
});

test('an entry of a room that the caller may not know is answered exactly like an unknown entry', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  const stranger = await signUp(town.here);
  const entry = await report(reader, roomId, (await say(author, roomId, 'hm')).id);
  const rule = { kind: 'word', pattern: 'hidden', action: 'flag', roomId };
  const { id: ruleId } = await mustCall(owner, 'POST', '/v1/moderation/rules', rule);
  for (const [method, path, there, body] of [
    ['GET', 'queue', entry, undefined],
    ['POST', 'queue', entry, { decision: 'remove' }],
    ['DELETE', 'rules', ruleId as string, undefined],
  ] as const) {
    const ask = (id: string) => stranger.call(method, `/v1/moderation/${path}/${id}`, body);
    const hidden = await ask(there);
    expect(hidden.status).toBe(404);
    expect(hidden.body).toEqual((await ask(crypto.randomUUID())).body);
  }
});

test('removed: every reader on both instances gets the tombstone, a former watcher gets nothing, and moderators keep the text', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  const gone = await signUp(town.here);
  await mustCall(owner, 'PUT', `/v1/rooms/${roomId}/members/${gone.id}`);
  const watching = await connect(town.there, reader);
  const left = await connect(town.there, gone);
  const message = await say(author, roomId, 'first words');
  await mustCall(author, 'PATCH', `/v1/rooms/${roomId}/messages/${message.id}`, { text: 'worse words' });
  await mustCall(owner, 'DELETE', `/v1/rooms/${roomId}/members/${gone.id}`);
  const id = await report(reader, roomId, message.id);
  const decided = await mustCall(owner, 'POST', `/v1/moderation/queue/${id}`, {
    decision: 'remove',
    note: 'no adverts',
  });
  expect(decided).toMatchObject({
    state: 'removed',
    decision: { by: { id: owner.id }, note: 'no adverts' },
    message: { text: 'worse words' },
  });

  const onOther = reader.at(town.there);
  const shown = await mustCall(onOther, 'GET', `/v1/rooms/${roomId}/messages/${message.id}`);
  expect(shown).toMatchObject({ text: '', html: '' });
  expect(shown.deletedAt).not.toBeNull();
  expect(await mustCall(onOther, 'GET', `/v1/rooms/${roomId}/messages/${message.id}/edits`)).toMatchObject({
    items: [],
  });
  for (const path of ['messages', 'events']) {
    const page = JSON.stringify(await mustCall(onOther, 'GET', `/v1/rooms/${roomId}/${path}`));
    expect(page).not.toMatch(/first words|worse words/);
  }
  const deletion = await watching.until(({ type, roomId: where }) => type === 'message.deleted' && where === roomId);
  expect(deletion.data).toEqual({ messageId: message.id, by: owner.id });
  const resumed = await connect(town.there, reader, {
    logId: String(watching.welcome.logId),
    rooms: { [roomId]: message.seq - 1 },
  });
  await resumed.until(({ type }) => type === 'resumed');
  expect(JSON.stringify(resumed.frames)).not.toMatch(/first words|worse words/);
  expect((await author.call('PATCH', `/v1/rooms/${roomId}/messages/${message.id}`, { text: 'back' })).status).toBe(404);

  const [entry] = await queueOf(owner.at(town.there), `roomId=${roomId}&state=removed`);
  expect(entry).toMatchObject({ id, message: { text: 'worse words' }, author: { removed: 1 } });
  await left.ask({ type: 'ping' });
  expect(left.events(roomId).map(({ type }) => type)).not.toContain('message.deleted');
  await Promise.all([watching, left, resumed].map((socket) => socket.close()));
});

test('approved after a removal: the message and its earlier versions are restored for every reader', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  const watching = await connect(town.there, reader);
  const message = await say(author, roomId, 'version one');
  await mustCall(author, 'PATCH', `/v1/rooms/${roomId}/messages/${message.id}`, { text: 'version two, @nobody' });
  const before = await mustCall(reader, 'GET', `/v1/rooms/${roomId}/messages/${message.id}`);
  const id = await report(reader, roomId, message.id);
  await mustCall(owner, 'POST', `/v1/moderation/queue/${id}`, { decision: 'remove' });
  await mustCall(owner.at(town.there), 'POST', `/v1/moderation/queue/${id}`, { decision: 'approve' });

  expect(await mustCall(reader, 'GET', `/v1/rooms/${roomId}/messages/${message.id}`)).toEqual(before);
  const { items } = await mustCall(reader, 'GET', `/v1/rooms/${roomId}/messages/${message.id}/edits`);
  expect(items!.map(text)).toEqual(['version one']);
  const back = await watching.until(({ type, seq }) => type === 'message.updated' && seq === message.seq + 3);
  expect(back.data).toEqual({ message: { ...before, replyCount: 0 } });
  // The events in the log keep their content.
  const { events } = (await mustCall(
    reader,
    'GET',
    `/v1/rooms/${roomId}/events?after=${message.seq - 1}`,
  )) as unknown as {
    events: { type: string; data: { message?: { text: string; editedAt: string | null } } }[];
  };
  expect(events.map(({ type, data }) => [type, data.message?.text])).toEqual([
    ['message.created', 'version one'],
    ['message.updated', 'version two, @nobody'],
    ['message.deleted', undefined],
    ['message.updated', 'version two, @nobody'],
  ]);
  expect(events[3]!.data.message!.editedAt).toBe(before.editedAt);
  // The author can edit it again.
  await mustCall(author, 'PATCH', `/v1/rooms/${roomId}/messages/${message.id}`, { text: 'version three' });
  const versions = (await mustCall(reader, 'GET', `/v1/rooms/${roomId}/messages/${message.id}/edits`)).items!;
  expect(versions.map(text)).toEqual(['version one', 'version two, @nobody']);
  await watching.close();
});

test('a message that its author deleted after the removal is not restored', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  const message = await say(author, roomId, 'let me forget this');
  const id = await report(reader, roomId, message.id);
  await mustCall(owner, 'POST', `/v1/moderation/queue/${id}`, { decision: 'remove' });
  await mustCall(author, 'DELETE', `/v1/rooms/${roomId}/messages/${message.id}`);
  const decided = await mustCall(owner, 'POST', `/v1/moderation/queue/${id}`, { decision: 'approve' });
  expect(decided).toMatchObject({ state: 'approved', message: { text: '' } });
  expect(await mustCall(reader, 'GET', `/v1/rooms/${roomId}/messages/${message.id}`)).toMatchObject({ text: '' });
  expect(await town.sql`select 1 from moderation_removals where message_id = ${message.id}`).toHaveLength(0);
});

test('the same decision twice, also at once on two instances, is one event and one entry in the audit log', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  const message = await say(author, roomId, 'hm');
  const id = await report(reader, roomId, message.id);
  const path = `/v1/moderation/queue/${id}`;
  const answers = await Promise.all(
    [owner, owner.at(town.there), owner, owner.at(town.there)].map((each) =>
      each.call('POST', path, { decision: 'remove' }),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  const { events } = (await mustCall(owner, 'GET', `/v1/rooms/${roomId}/events?limit=100`)) as unknown as {
    events: { type: string; seq: number }[];
  };
  expect(events.filter(({ type }) => type === 'message.deleted')).toHaveLength(1);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  const audit = (await mustCall(owner, 'GET', `/v1/moderation/audit?roomId=${roomId}`)).items!;
  expect(audit.map(({ action }) => action)).toEqual(['message.remove']);
});

test('a removal with a ban removes the author in the same transaction', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here, { visibility: 'public' });
  const watching = await connect(town.there, reader);
  const message = await say(author, roomId, 'hm');
  const id = await report(reader, roomId, message.id);
  await mustCall(owner, 'POST', `/v1/moderation/queue/${id}`, { decision: 'remove', ban: { seconds: 3600 } });
  const { seq } = await watching.until(({ type }) => type === 'message.deleted');
  const leaving = await watching.until(({ type }) => type === 'member.left');
  expect(leaving).toMatchObject({ seq: seq! + 1, data: { userId: author.id, by: owner.id, reason: 'banned' } });
  expect(await author.at(town.there).call('PUT', `/v1/rooms/${roomId}/members/me`)).toMatchObject({
    status: 403,
    body: { code: 'banned' },
  });
  await watching.close();
});

test('in a direct message, staff see the reported message without its context', async () => {
  const [ana, ben] = (await Promise.all([1, 2].map(() => signUp(town.here)))) as [TestUser, TestUser];
  const staff = await town.hire('moderator');
  const { id: roomId } = await mustCall(ana, 'POST', '/v1/dms', { userIds: [ben.id] });
  await say(ana, roomId as string, 'a private word');
  const message = await say(ben, roomId as string, 'a nasty word');
  const id = await report(ana, roomId as string, message.id, 'harassment');
  expect((await ana.call('GET', `/v1/moderation/queue?roomId=${roomId as string}`)).status).toBe(403);
  const entry = await mustCall(staff, 'GET', `/v1/moderation/queue/${id}`);
  expect(entry).toMatchObject({ message: { text: 'a nasty word' }, context: { before: [], after: [] } });
  expect((await staff.call('GET', `/v1/rooms/${roomId as string}/messages`)).status).toBe(404);
  await mustCall(staff, 'POST', `/v1/moderation/queue/${id}`, { decision: 'remove' });
  expect(await mustCall(ana, 'GET', `/v1/rooms/${roomId as string}/messages/${message.id}`)).toMatchObject({
    text: '',
  });
  const ban = await staff.call('POST', `/v1/moderation/queue/${id}`, { decision: 'remove', ban: { seconds: 5 } });
  expect(ban).toMatchObject({ status: 409, body: { code: 'conflict' } });
});

test('a moderator gets no entry about messages from before they could read the room', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here, { history: 'joined' });
  const message = await say(author, roomId, 'before');
  const id = await report(reader, roomId, message.id);
  const late = await signUp(town.here);
  await mustCall(owner, 'PUT', `/v1/rooms/${roomId}/members/${late.id}`, { role: 'moderator' });
  const newer = await say(author, roomId, 'after');
  const newId = await report(reader, roomId, newer.id);
  const [entry, ...more] = await queueOf(late, `roomId=${roomId}`);
  expect([entry!.id, more]).toEqual([newId, []]);
  expect(JSON.stringify(entry)).not.toContain('before"}');
  expect((entry as unknown as { context: { before: unknown[] } }).context.before).toEqual([]);
  expect((await late.call('GET', `/v1/moderation/queue/${id}`)).status).toBe(404);
});

test('the queue pages by cursor, newest first, and refuses foreign cursors', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  const ids = [];
  for (let index = 0; index < 5; index++) {
    const { id } = await say(author, roomId, `line ${index}`);
    ids.push(await report(reader, roomId, id));
  }
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const page: Record<string, unknown> = await mustCall(
      owner,
      'GET',
      `/v1/moderation/queue?roomId=${roomId}&limit=2${cursor ? `&cursor=${cursor}` : ''}`,
    );
    seen.push(...(page.items as { id: string }[]).map(({ id }) => id));
    cursor = page.nextCursor as string | null;
  } while (cursor);
  expect(seen).toEqual(ids.toReversed());
  for (const bad of ['nonsense', Buffer.from('["x","y"]').toString('base64url')])
    expect((await owner.call('GET', `/v1/moderation/queue?roomId=${roomId}&cursor=${bad}`)).status).toBe(400);
});

test('a flagged message is queued automatically, with labels, score and engine version', async () => {
  const { roomId, owner, author } = await openSquare(town.here);
  const message = await say(author, roomId, 'you are an asshole');
  await expect.poll(() => queueOf(owner, `roomId=${roomId}`).then((entries) => entries.length)).toBe(1);
  const [entry] = await queueOf(owner, `roomId=${roomId}`);
  expect(entry).toMatchObject({ source: 'engine', message: { id: message.id }, labels: [{ matched: 'asshole' }] });
  expect(entry!.engineVersion).toEqual(expect.any(String));
});

test('the author of a blocked text gets the reasons; moderators get the reasons but not the text', async () => {
  const { roomId, owner, author } = await openSquare(town.here);
  const gtube = 'secret-part XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
  const refused = await author.call('POST', `/v1/rooms/${roomId}/messages`, { clientId: 'g', text: gtube });
  expect(refused).toMatchObject({
    status: 422,
    body: { code: 'message_blocked', labels: [{ name: 'test', start: 12 }] },
  });
  const list = () => mustCall(owner, 'GET', `/v1/moderation/refusals?roomId=${roomId}`);
  await expect.poll(async () => (await list()).items!.length).toBe(1);
  const page = await list();
  expect(page.items![0]).toMatchObject({
    author: { id: author.id },
    labels: [{ name: 'test', score: 1, id: 'gtube' }],
  });
  expect(JSON.stringify(page)).not.toMatch(/GTUBE-STANDARD|secret-part/);
});

test('decisions teach the engine', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  const message = await say(author, roomId, `zanzibar lottery of ${roomId}`);
  const id = await report(reader, roomId, message.id, 'spam');
  await mustCall(owner, 'POST', `/v1/moderation/queue/${id}`, { decision: 'remove' });
  const learned = () =>
    town.sql`select label from learned_examples where text = ${`zanzibar lottery of ${roomId}`} and revoked_at is null`;
  await expect.poll(async () => (await learned()).map(({ label }) => label as string)).toEqual(['spam']);
  await mustCall(owner, 'POST', `/v1/moderation/queue/${id}`, { decision: 'approve' });
  await expect.poll(async () => (await learned()).map(({ label }) => label as string)).toEqual(['ham']);
});

test('if an instance dies during decisions, each one is either complete or has no effect', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  const ids: string[] = [];
  for (let index = 0; index < 8; index++) {
    const { id } = await say(author, roomId, `doomed ${index}`);
    ids.push(await report(reader, roomId, id));
  }
  const [, second] = town.fleet.chats;
  const doomed = owner.at(town.there);
  const outcomes = ids.map((id) =>
    doomed.call('POST', `/v1/moderation/queue/${id}`, { decision: 'remove' }).then(
      ({ status }) => status,
      () => 0,
    ),
  );
  await Promise.race(outcomes);
  await second!.kill();
  await Promise.all(outcomes);
  const halves = await town.sql`
    select q.id from moderation_queue q join events e on e.message_id = q.message_id and e.type = 'message.created'
    left join moderation_removals k on k.message_id = q.message_id
    where q.room_id = ${roomId} and ((q.state = 'removed') <> (e.deleted_at is not null) or (q.state = 'removed') <> (k.message_id is not null))`;
  expect(halves).toHaveLength(0);
  for (const id of ids) await mustCall(owner, 'POST', `/v1/moderation/queue/${id}`, { decision: 'remove' });
  const { events } = (await mustCall(owner, 'GET', `/v1/rooms/${roomId}/events?limit=100`)) as unknown as {
    events: { type: string; seq: number }[];
  };
  expect(events.filter(({ type }) => type === 'message.deleted')).toHaveLength(8);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
});

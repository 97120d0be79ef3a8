import postgres from 'postgres';
import { beforeAll, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: SharedParley;
let ana: TestUser;
let ben: TestUser;
let eve: TestUser;

beforeAll(async () => {
  parley = await useSharedParley();
  await signUp(parley.url); // on a database of its own nobody is admin by being first
  [ana, ben, eve] = (await Promise.all([1, 2, 3].map(() => signUp(parley.url)))) as [TestUser, TestUser, TestUser];
});

test('a new room has its creator as owner, its members, and a log that begins with their joins', async () => {
  const room = await mustCall(ana, 'POST', '/v1/rooms', {
    name: 'Garden',
    topic: 'Roses',
    visibility: 'private',
    memberIds: [ben.id],
  });
  expect(room).toMatchObject({
    kind: 'room',
    name: 'Garden',
    topic: 'Roses',
    visibility: 'private',
    history: 'all',
    slowModeSeconds: 0,
    memberCount: 2,
    seq: 2,
  });
  const members = (await mustCall(ben, 'GET', `/v1/rooms/${room.id as string}/members`)).items!;
  expect(members.map(({ user, role }) => [(user as { id: string }).id, role]).sort()).toEqual(
    [
      [ana.id, 'owner'],
      [ben.id, 'member'],
    ].sort(),
  );
  const { events } = (await mustCall(ben, 'GET', `/v1/rooms/${room.id as string}/events`)) as unknown as {
    events: { seq: number; type: string }[];
  };
  expect(events.map(({ seq, type }) => [seq, type])).toEqual([
    [1, 'member.joined'],
    [2, 'member.joined'],
  ]);
});

test('requests with the same Idempotency-Key create one room', async () => {
  const body = { name: 'Once', visibility: 'private' };
  const [first, second] = [
    await ana.call('POST', '/v1/rooms', body, { 'idempotency-key': 'k1' }),
    await ana.call('POST', '/v1/rooms', body, { 'idempotency-key': 'k1' }),
  ];
  expect([first.status, second.status]).toEqual([201, 201]);
  expect(second.body.id).toBe(first.body.id);
  expect((await ana.call('POST', '/v1/rooms', { ...body, name: 'Twice' }, { 'idempotency-key': 'k1' })).status).toBe(
    409,
  );
});

test('an Idempotency-Key expires and may then be used for another request', async () => {
  const make = (name: string) =>
    ana.call('POST', '/v1/rooms', { name, visibility: 'private' }, { 'idempotency-key': 'k2' });
  const first = await make('Yesterday');
  const sql = postgres(parley.database.url, { max: 1 });
  const age = (hours: number) =>
    sql`update idempotency_keys set created_at = now() - ${hours} * interval '1 hour' where key = 'k2'`;
  await age(23);
  expect((await make('Today')).status).toBe(409);
  await age(25);
  const answers = await Promise.all([make('Today'), make('Today')]);
  expect(answers.map(({ status }) => status)).toEqual([201, 201]);
  expect(answers[0]!.body.id).toBe(answers[1]!.body.id);
  expect(answers[0]!.body.id).not.toBe(first.body.id);
  await sql.end();
});

test('users find, read and watch a public room before they join; posting needs membership', async () => {
  const room = await createRoom([ana], { name: `Market ${ana.username}`, visibility: 'public' });
  await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'm', text: 'open' });
  const found = (
    await mustCall(eve, 'GET', `/v1/rooms?visibility=public&query=${encodeURIComponent(`market ${ana.username}`)}`)
  ).items!;
  expect(found.map((each) => each.id)).toEqual([room]);
  expect(((await mustCall(eve, 'GET', `/v1/rooms/${room}/messages`)).messages as unknown[]).length).toBe(1);
  const watcher = await connect(parley.url, eve);
  expect(await watcher.ask({ type: 'room.open', roomId: room })).toMatchObject({ type: 'ack' });
  expect(await watcher.say(room, 'may I')).toMatchObject({ type: 'error', code: 'forbidden' });
  await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'n', text: 'watched' });
  await watcher.until((frame) => frame.type === 'message.created');
  await mustCall(eve, 'PUT', `/v1/rooms/${room}/members/me`);
  expect(await watcher.say(room, 'now I may')).toMatchObject({ type: 'ack' });
});

test('a public room that becomes private drops its watchers', async () => {
  const room = await createRoom([ana], { visibility: 'public' });
  const watcher = await connect(parley.url, eve);
  await watcher.ask({ type: 'room.open', roomId: room });
  await mustCall(ana, 'PATCH', `/v1/rooms/${room}`, { visibility: 'private' });
  await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: 's', text: 'secret' });
  await watcher.until((frame) => frame.type === 'room.left' && frame.roomId === room);
  const other = await createRoom([ana, eve]);
  await mustCall(ana, 'POST', `/v1/rooms/${other}/messages`, { clientId: 'marker', text: 'marker' });
  await watcher.until((frame) => frame.type === 'message.created' && frame.roomId === other);
  expect(watcher.texts(room)).toEqual([]);
  expect((await eve.call('GET', `/v1/rooms/${room}`)).status).toBe(404);
});

test('there is one direct message for each set of members, however often any of them opens it', async () => {
  const first = await ana.call('POST', '/v1/dms', { userIds: [ben.id] });
  const again = await ben.call('POST', '/v1/dms', { userIds: [ana.id] });
  const twice = await ana.call('POST', '/v1/dms', { userIds: [ben.id, ana.id, ben.id] });
  expect([first.status, again.status, twice.status]).toEqual([201, 200, 200]);
  expect(new Set([first, again, twice].map((each) => each.body.id)).size).toBe(1);
  expect(first.body).toMatchObject({ kind: 'dm', visibility: 'private', memberCount: 2 });
  const three = await ana.call('POST', '/v1/dms', { userIds: [ben.id, eve.id] });
  expect(three.body.id).not.toBe(first.body.id);
  const both = await Promise.all(
    Array.from({ length: 6 }, (_, index) =>
      (index % 2 ? eve : ben).call('POST', '/v1/dms', { userIds: [index % 2 ? ben.id : eve.id] }),
    ),
  );
  expect(new Set(both.map((each) => each.body.id)).size).toBe(1);
});

test('a former member receives nothing until they rejoin', async () => {
  const room = await createRoom([ana, ben], { visibility: 'public' });
  const socket = await connect(parley.url, ben);
  await mustCall(ben, 'PUT', `/v1/rooms/${room}/members/me`);
  expect((await ben.call('DELETE', `/v1/rooms/${room}/members/me`)).status).toBe(204);
  await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: '1', text: 'unseen' });
  await mustCall(ben, 'PUT', `/v1/rooms/${room}/members/me`);
  await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: '2', text: 'marker' });
  await socket.until((frame) => frame.type === 'message.created');
  expect(socket.texts(room)).toEqual(['marker']);
});

test('a removed member gets the removal as their last event, and every request and frame is refused once it is acknowledged', async () => {
  const room = await createRoom([ana, ben]);
  const socket = await connect(parley.url, ben);
  expect((await ana.call('DELETE', `/v1/rooms/${room}/members/${ben.id}`)).status).toBe(204);
  expect((await ben.call('GET', `/v1/rooms/${room}/messages`)).status).toBe(404);
  await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: '1', text: 'behind the door' });
  const left = await socket.until((frame) => frame.type === 'room.left');
  expect(left).toMatchObject({ roomId: room, data: { reason: 'removed', lastSeq: 3 } });
  expect(socket.events(room).at(-1)).toMatchObject({
    type: 'member.left',
    data: { userId: ben.id, by: ana.id, reason: 'removed' },
  });
  expect(socket.texts(room)).toEqual([]);
});

test('a new member of a room with joined history sees no earlier messages', async () => {
  const room = await createRoom([ana], { history: 'joined' });
  await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: '1', text: 'before' });
  const socket = await connect(parley.url, ben);
  await mustCall(ana, 'PUT', `/v1/rooms/${room}/members/${ben.id}`);
  await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: '2', text: 'since' });
  await socket.until((frame) => frame.type === 'message.created');
  const seen = [
    await mustCall(ben, 'GET', `/v1/rooms/${room}/messages`),
    await mustCall(ben, 'GET', `/v1/rooms/${room}/events`),
    await mustCall(ben, 'GET', '/v1/rooms'),
  ];
  for (const answer of seen) expect(JSON.stringify(answer)).not.toContain('"before"');
  expect(JSON.stringify(seen[0])).toContain('"since"');
});

test('owners and moderators change rooms and members, members do not', async () => {
  const room = await createRoom([ana, ben, eve]);
  expect((await ben.call('PATCH', `/v1/rooms/${room}`, { name: 'x' })).status).toBe(403);
  expect((await ben.call('DELETE', `/v1/rooms/${room}/members/${eve.id}`)).status).toBe(403);
  expect((await ben.call('PATCH', `/v1/rooms/${room}/members/${ben.id}`, { role: 'owner' })).status).toBe(403);
  await mustCall(ana, 'PATCH', `/v1/rooms/${room}/members/${ben.id}`, { role: 'moderator' });
  expect((await ben.call('DELETE', `/v1/rooms/${room}/members/${eve.id}`)).status).toBe(204);
  expect((await ben.call('DELETE', `/v1/rooms/${room}/members/${ana.id}`)).status).toBe(403);
  expect((await ben.call('DELETE', `/v1/rooms/${room}`)).status).toBe(403);
});

test('when the last owner leaves, the longest-standing moderator becomes the owner', async () => {
  const room = await createRoom([ana, eve, ben]);
  await mustCall(ana, 'PATCH', `/v1/rooms/${room}/members/${ben.id}`, { role: 'moderator' });
  expect((await ana.call('DELETE', `/v1/rooms/${room}/members/me`)).status).toBe(204);
  const members = (await mustCall(ben, 'GET', `/v1/rooms/${room}/members`)).items!;
  expect(members.map(({ user, role }) => [(user as { id: string }).id, role]).sort()).toEqual(
    [
      [ben.id, 'owner'],
      [eve.id, 'member'],
    ].sort(),
  );
});

test('members are notified when their room is deleted, and no longer find it', async () => {
  const room = await createRoom([ana, ben]);
  const socket = await connect(parley.url, ben);
  expect((await ana.call('DELETE', `/v1/rooms/${room}`)).status).toBe(204);
  await socket.until((frame) => frame.type === 'room.deleted');
  await socket.until((frame) => frame.type === 'room.left' && frame.roomId === room);
  expect((await ben.call('GET', `/v1/rooms/${room}`)).status).toBe(404);
  expect((await mustCall(ben, 'GET', '/v1/rooms')).items!.map((each) => each.id)).not.toContain(room);
});

test('my rooms are listed with unread counts, mentions, read marker and last message; reading moves the marker on every device', async () => {
  const room = await createRoom([ana, ben]);
  const [phone, laptop] = await Promise.all([connect(parley.url, ben), connect(parley.url, ben)]);
  await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: '1', text: 'one' });
  await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: '2', text: `two for @${ben.username}` });
  const mine = async () => (await mustCall(ben, 'GET', '/v1/rooms')).items!.find((each) => each.id === room);
  expect(await mine()).toMatchObject({
    unread: 2,
    mentions: 1,
    lastReadSeq: 0,
    seq: 4,
    lastMessage: { text: `two for @${ben.username}` },
  });
  expect(await phone.ask({ type: 'read', roomId: room, seq: 3 })).toMatchObject({ type: 'ack', lastReadSeq: 3 });
  expect(await laptop.until((frame) => frame.type === 'read.updated')).toMatchObject({
    roomId: room,
    data: { userId: ben.id, lastReadSeq: 3, unread: 1, mentions: 1 },
  });
  expect(await mustCall(ben, 'PUT', `/v1/rooms/${room}/read`, { seq: 1 })).toMatchObject({ lastReadSeq: 3 });
  expect(await mustCall(ben, 'PUT', `/v1/rooms/${room}/read`, { seq: 999 })).toMatchObject({
    lastReadSeq: 4,
    unread: 0,
    mentions: 0,
  });
  expect(await mine()).toMatchObject({ unread: 0, mentions: 0, lastReadSeq: 4 });
});

test('slow mode refuses a member’s next message and says how long to wait', async () => {
  const room = await createRoom([ana, ben], { slowModeSeconds: 60 });
  const socket = await connect(parley.url, ben);
  expect((await socket.say(room, 'first')).type).toBe('ack');
  const second = await socket.say(room, 'second');
  expect(second).toMatchObject({ type: 'error', code: 'slow_mode' });
  expect(second.retryAfterMs).toBeGreaterThan(50_000);
  const rest = await ben.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'x', text: 'third' });
  expect(rest).toMatchObject({ status: 429, body: { code: 'slow_mode' } });
  expect(Number(rest.headers.get('retry-after'))).toBeGreaterThan(50);
});

test('a muted member cannot post over REST or sockets until unmuted; nobody mutes a higher role', async () => {
  const room = await createRoom([ana, ben, eve]);
  const socket = await connect(parley.url, ben);
  const { messageId } = await socket.say(room, 'before');
  expect((await eve.call('PUT', `/v1/rooms/${room}/members/${ben.id}/mute`, { seconds: 60 })).status).toBe(403);
  const muted = await mustCall(ana, 'PUT', `/v1/rooms/${room}/members/${ben.id}/mute`, { seconds: 60 });
  expect(muted).toMatchObject({ user: { id: ben.id }, mutedUntil: expect.any(String) });
  expect(await socket.say(room, 'while muted')).toMatchObject({ type: 'error', code: 'muted' });
  expect(await socket.ask({ type: 'message.edit', roomId: room, messageId, text: 'x' })).toMatchObject({
    code: 'muted',
  });
  expect(await socket.ask({ type: 'typing', roomId: room, active: true })).toMatchObject({ code: 'muted' });
  const rest = await ben.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'm', text: 'x' });
  expect(rest).toMatchObject({ status: 403, body: { code: 'muted' } });
  await mustCall(ana, 'DELETE', `/v1/rooms/${room}/members/${ben.id}/mute`);
  expect(await socket.say(room, 'after')).toMatchObject({ type: 'ack' });
  await mustCall(ana, 'PATCH', `/v1/rooms/${room}/members/${ben.id}`, { role: 'moderator' });
  expect((await ben.call('PUT', `/v1/rooms/${room}/members/${ana.id}/mute`, { seconds: 60 })).status).toBe(403);
});

test('a mute survives leaving and rejoining, and ends by unmuting', async () => {
  const room = await createRoom([ana, ben], { visibility: 'public' });
  await mustCall(ana, 'PUT', `/v1/rooms/${room}/members/${ben.id}/mute`, { seconds: 60 });
  await mustCall(ben, 'DELETE', `/v1/rooms/${room}/members/me`);
  const back = await mustCall(ben, 'PUT', `/v1/rooms/${room}/members/me`);
  expect(back).toMatchObject({ user: { id: ben.id }, mutedUntil: expect.any(String) });
  const say = (text: string) => ben.call('POST', `/v1/rooms/${room}/messages`, { clientId: text, text });
  expect(await say('around it')).toMatchObject({ status: 403, body: { code: 'muted' } });
  const { events } = (await mustCall(ana, 'GET', `/v1/rooms/${room}/events`)) as { events: Record<string, unknown>[] };
  expect(events.at(-1)).toMatchObject({ type: 'member.joined', data: { mutedUntil: back.mutedUntil } });
  await mustCall(ana, 'DELETE', `/v1/rooms/${room}/members/${ben.id}/mute`);
  expect((await say('allowed again')).status).toBe(201);
  await mustCall(ben, 'DELETE', `/v1/rooms/${room}/members/me`);
  expect(await mustCall(ben, 'PUT', `/v1/rooms/${room}/members/me`)).toMatchObject({ mutedUntil: null });
  expect((await say('and after another round')).status).toBe(201);
});

test('the list of public rooms pages correctly with any characters in room names', async () => {
  const name = (letter: string) => `zq${letter}${'\u{1f9ff}'.repeat(97)}`;
  for (const letter of ['a', 'b']) await createRoom([ana], { name: name(letter), visibility: 'public' });
  const page = (cursor = '') => mustCall(ana, 'GET', `/v1/rooms?visibility=public&query=zq&limit=1${cursor}`);
  const first = await page();
  const second = await page(`&cursor=${encodeURIComponent(first.nextCursor as string)}`);
  expect([...first.items!, ...second.items!].map((room) => room.name)).toEqual([name('a'), name('b')]);
});

test('lists page by cursor and refuse foreign cursors', async () => {
  const room = await createRoom([ana, ben, eve]);
  const first = await mustCall(ana, 'GET', `/v1/rooms/${room}/members?limit=2`);
  expect(first.items).toHaveLength(2);
  const second = await mustCall(
    ana,
    'GET',
    `/v1/rooms/${room}/members?limit=2&cursor=${encodeURIComponent(first.nextCursor as string)}`,
  );
  expect([second.items!.length, second.nextCursor]).toEqual([1, null]);
  for (const cursor of ['x', 'e30', Buffer.from('["not-an-id"]').toString('base64url')]) {
    expect((await ana.call('GET', `/v1/rooms/${room}/members?cursor=${cursor}`)).status).toBe(400);
  }
});

test.each([
  ['no name', { visibility: 'public' }],
  ['an unknown visibility', { name: 'x', visibility: 'secret' }],
  ['an unknown field', { name: 'x', visibility: 'public', colour: 'red' }],
  ['a name of spaces', { name: '   ', visibility: 'public' }],
  ['an invalid member id', { name: 'x', visibility: 'public', memberIds: ['ben'] }],
])('a room with %s is refused', async (_, body) => {
  expect(await ana.call('POST', '/v1/rooms', body)).toMatchObject({
    status: 400,
    body: { code: 'invalid', errors: [expect.anything()] },
  });
});

test('leaving twice succeeds; a user who was never a member learns nothing of the room', async () => {
  const room = await createRoom([ana, ben]);
  const leave = (user: TestUser) => user.call('DELETE', `/v1/rooms/${room}/members/me`);
  expect([(await leave(ben)).status, (await leave(ben)).status]).toEqual([204, 204]);
  expect((await mustCall(ana, 'GET', `/v1/rooms/${room}`)).seq).toBe(3);
  expect((await leave(eve)).status).toBe(404);
});

test('a watcher of a public room with joined history reads no history, only what arrives while they watch', async () => {
  const room = await createRoom([ana], { history: 'joined' });
  const { id } = await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: '1', text: 'said in private' });
  await mustCall(ana, 'PATCH', `/v1/rooms/${room}`, { visibility: 'public' });
  const socket = await connect(parley.url, eve);
  await socket.ask({ type: 'room.open', roomId: room });
  await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: '2', text: 'said in public' });
  await socket.until((frame) => frame.type === 'message.created');
  expect(socket.texts(room)).toEqual(['said in public']);
  expect(await mustCall(eve, 'GET', `/v1/rooms/${room}/messages`)).toMatchObject({ messages: [], hasMore: false });
  expect(await mustCall(eve, 'GET', `/v1/rooms/${room}/messages?around=2`)).toMatchObject({
    messages: [],
    hasMore: false,
  });
  expect(await mustCall(eve, 'GET', `/v1/rooms/${room}/events`)).toEqual({ events: [], hasMore: false });
  for (const path of ['', '/replies', '/edits'])
    expect((await eve.call('GET', `/v1/rooms/${room}/messages/${id}${path}`)).status).toBe(404);
});

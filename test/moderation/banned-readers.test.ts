/** A user who is banned from a public room reads nothing there: over REST, sockets or the log, as a member or not. */
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: BorrowedFleet;
let sql: postgres.Sql;
let one: string;
let two: string;

beforeAll(async () => {
  fleet = await borrowFleet('moderation');
  sql = postgres(fleet.database.url, { max: 1, onnotice: () => {} });
  [one, two] = fleet.chats.map(({ url }) => url) as [string, string];
});
afterAll(async () => {
  await sql.end();
  await fleet.end();
});

/** A room with a message, and a user who never joined it. */
async function startRoom(visibility: 'public' | 'private') {
  const [owner, stranger] = [await signUp(one), await signUp(one)];
  const room = await createRoom([owner], { visibility });
  const draft = { clientId: 'first', text: 'in the open' };
  const message = (await mustCall(owner, 'POST', `/v1/rooms/${room}/messages`, draft)).id as string;
  const ban = (body: object = { roomId: room }) => mustCall(owner, 'PUT', `/v1/moderation/bans/${stranger.id}`, body);
  const lift = () => mustCall(owner, 'DELETE', `/v1/moderation/bans/${stranger.id}?roomId=${room}`);
  return { owner, stranger, room, message, ban, lift };
}

const readings = (room: string, message: string) => [
  `/v1/rooms/${room}`,
  `/v1/rooms/${room}/members`,
  `/v1/rooms/${room}/messages`,
  `/v1/rooms/${room}/messages?around=1`,
  `/v1/rooms/${room}/messages/${message}`,
  `/v1/rooms/${room}/messages/${message}/replies`,
  `/v1/rooms/${room}/messages/${message}/edits`,
  `/v1/rooms/${room}/events`,
];

async function readAll(user: TestUser, room: string, message: string): Promise<Set<string>> {
  const seen = new Set<string>();
  for (const url of [one, two]) {
    for (const path of readings(room, message)) {
      const { status, body } = await user.at(url).call('GET', path);
      seen.add(`${status} ${String(body.code ?? 'read')}`);
    }
  }
  return seen;
}

test('a banned non-member cannot read the room on any instance until the ban is lifted', async () => {
  const { stranger, room, message, ban, lift } = await startRoom('public');
  const isListed = async () =>
    (await mustCall(stranger, 'GET', '/v1/rooms?visibility=public&limit=100')).items!.some(({ id }) => id === room);
  expect(await readAll(stranger, room, message)).toEqual(new Set(['200 read']));
  expect(await isListed()).toBe(true);
  await ban();
  expect(await isListed()).toBe(false);
  expect(await readAll(stranger, room, message)).toEqual(new Set(['403 banned']));
  const report = await stranger.call('POST', `/v1/rooms/${room}/messages/${message}/report`, { reason: 'mine' });
  expect(report.body.code).toBe('banned');
  const socket = await connect(two, stranger);
  expect(await socket.ask({ type: 'room.open', roomId: room })).toMatchObject({ type: 'error', code: 'banned' });
  await lift();
  expect(await isListed()).toBe(true);
  expect(await readAll(stranger, room, message)).toEqual(new Set(['200 read']));
  expect(await socket.ask({ type: 'room.open', roomId: room })).toMatchObject({ type: 'ack' });
  await socket.close();
});

test('a banned member can no longer read a room that everybody else may read', async () => {
  const { owner, stranger, room, message, ban } = await startRoom('public');
  await mustCall(stranger, 'PUT', `/v1/rooms/${room}/members/me`);
  expect(await readAll(stranger, room, message)).toEqual(new Set(['200 read']));
  await ban({ roomId: room, seconds: 3600 });
  expect(await readAll(stranger, room, message)).toEqual(new Set(['403 banned']));
  const refusal = (await stranger.call('GET', `/v1/rooms/${room}/messages`)).body;
  expect(Date.parse(refusal.until as string)).toBeGreaterThan(Date.now());
  expect(await readAll(owner, room, message)).toEqual(new Set(['200 read']));
  // A ban with an end expires by itself.
  await sql`update moderation_bans set expires_at = now() - interval '1 second' where user_id = ${stranger.id}`;
  expect(await readAll(stranger, room, message)).toEqual(new Set(['200 read']));
});

test('a private room does not exist for a banned user, as for any outsider', async () => {
  const { stranger, room, message, ban } = await startRoom('private');
  await ban();
  expect(await readAll(stranger, room, message)).toEqual(new Set(['404 not_found']));
});

test('a ban stops a user who watches the room, also on another instance', async () => {
  const { owner, stranger, room, ban, lift } = await startRoom('public');
  const mouth = await connect(one, owner);
  const watchers = [await connect(one, stranger), await connect(two, stranger)];
  for (const watcher of watchers) {
    expect((await watcher.ask({ type: 'room.open', roomId: room })).type).toBe('ack');
    await mouth.say(room, 'before');
    await watcher.until(({ type }) => type === 'message.created');
  }
  const heard = watchers.map((watcher) => watcher.texts(room));
  await ban();
  for (const watcher of watchers)
    expect(await watcher.until(({ type }) => type === 'room.left')).toMatchObject({
      roomId: room,
      data: { reason: 'banned' },
    });
  await mouth.say(room, 'unseen');
  await lift();
  for (const [at, watcher] of watchers.entries()) {
    expect((await watcher.ask({ type: 'room.open', roomId: room })).type).toBe('ack');
    const marker = `marker ${at}`;
    await mouth.say(room, marker);
    await expect.poll(() => watcher.texts(room).at(-1)).toBe(marker);
    expect(watcher.texts(room)).not.toContain('unseen');
    expect(watcher.texts(room).slice(0, heard[at]!.length)).toEqual(heard[at]);
    await watcher.close();
  }
  await mouth.close();
});

test('a watcher is stopped also when the announcement of the ban is lost', async () => {
  const { owner, stranger, room } = await startRoom('public');
  const watcher = await connect(two, stranger);
  expect((await watcher.ask({ type: 'room.open', roomId: room })).type).toBe('ack');
  await sql`insert into moderation_bans (id, user_id, room_id, created_by)
    values (gen_random_uuid(), ${stranger.id}, ${room}, ${owner.id})`;
  expect(await watcher.until(({ type }) => type === 'room.left')).toMatchObject({ data: { reason: 'banned' } });
  expect(await watcher.ask({ type: 'ping' })).toMatchObject({ type: 'ack' });
  await watcher.close();
});

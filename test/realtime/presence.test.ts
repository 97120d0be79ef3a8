/** Who is shown as online: over devices and instances, after a kill, for which viewers, and within which bounds. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { metricOf } from '../harness/metric.ts';
import type { ParleyProcess } from '../harness/parley-process.ts';
import {
  connect,
  createRoom,
  type Frame,
  mustCall,
  signUp,
  type TestSocket,
  type TestUser,
} from '../harness/test-client.ts';

/** As the fleet's settings have it. */
const graceMs = 3000;
let fleet: BorrowedFleet;
let third: ParleyProcess;

beforeAll(async () => {
  fleet = await borrowFleet();
  third = await fleet.startChat();
});
afterAll(async () => {
  await third.stop();
  await fleet.end();
});

const urlOf = (instance: number) => (fleet.chats[instance] ?? third).url;
const people = (count: number) => Promise.all(Array.from({ length: count }, () => signUp(urlOf(0))));

interface Seen {
  readonly userId: string;
  readonly status: string;
  readonly customStatus: unknown;
}

const seenBy = (socket: TestSocket, userId: string): Seen[] =>
  socket.frames
    .filter(({ type }) => type === 'presence')
    .map(({ data }) => data as unknown as Seen)
    .filter((seen) => seen.userId === userId);
const statusesOf = (socket: TestSocket, userId: string) => seenBy(socket, userId).map(({ status }) => status);
/** Without the first `online`, which comes as a frame if the list was asked for before the news had arrived. */
const laterOf = (socket: TestSocket, userId: string) =>
  statusesOf(socket, userId).filter((status, at) => at > 0 || status !== 'online');

async function watch(socket: TestSocket, ...userIds: string[]): Promise<Record<string, string>> {
  const answer = await socket.ask({ type: 'presence.watch', userIds });
  expect(answer.type).toBe('ack');
  return answer.presence as Record<string, string>;
}

async function ask(asker: TestUser, instance: number, ...userIds: string[]): Promise<Record<string, string>> {
  const { presence } = await mustCall(asker.at(urlOf(instance)), 'GET', `/v1/presence?userIds=${userIds.join(',')}`);
  return presence as Record<string, string>;
}

const say = (socket: TestSocket, status: string): Promise<Frame> => socket.ask({ type: 'presence', status });

// The first test, on an instance where nobody else was: the end of somebody's grace is a change, too.
test('a change costs one hint of a few bytes, however many people watch', async () => {
  const [ana, ben] = (await people(2)) as [TestUser, TestUser];
  await createRoom([ana, ben]);
  const watchers = await Promise.all(Array.from({ length: 20 }, () => connect(urlOf(0), ana)));
  for (const watcher of watchers) await watch(watcher, ben.id);
  const device = await connect(urlOf(2), ben);
  await Promise.all(watchers.map((each) => each.until(({ type }) => type === 'presence')));
  const counts = () =>
    Promise.all(['changes_total', 'hint_bytes_total'].map((name) => metricOf(urlOf(2), `parley_presence_${name}`)));
  const [changesBefore, bytesBefore] = (await counts()) as [number, number];
  for (const status of ['away', 'dnd', 'online']) {
    await say(device, status);
    for (const each of watchers) await expect.poll(() => statusesOf(each, ben.id).at(-1)).toBe(status);
  }
  const [changes, bytes] = (await counts()) as [number, number];
  expect(changes - changesBefore).toBe(3);
  expect((bytes - bytesBefore) / 3).toBeLessThan(128);
  await Promise.all([...watchers, device].map((each) => each.close()));
});

test('a watcher on another instance sees every change, and the best of all devices', async () => {
  const [ana, ben] = (await people(2)) as [TestUser, TestUser];
  await createRoom([ana, ben]);
  const watcher = await connect(urlOf(0), ana);
  expect(await watch(watcher, ben.id)).toEqual({ [ben.id]: 'offline' });

  const phone = await connect(urlOf(1), ben);
  await expect.poll(() => statusesOf(watcher, ben.id)).toEqual(['online']);
  await say(phone, 'away');
  await expect.poll(() => statusesOf(watcher, ben.id)).toEqual(['online', 'away']);
  const laptop = await connect(urlOf(2), ben);
  await expect.poll(() => statusesOf(watcher, ben.id)).toEqual(['online', 'away', 'online']);
  await say(laptop, 'dnd');
  await expect.poll(() => statusesOf(watcher, ben.id).at(-1)).toBe('dnd');
  for (const instance of [0, 1, 2]) await expect.poll(() => ask(ana, instance, ben.id)).toEqual({ [ben.id]: 'dnd' });

  // The device that is left counts at once; the grace is for the last one.
  await laptop.close();
  await expect.poll(() => statusesOf(watcher, ben.id).at(-1)).toBe('away');
  const leftAt = performance.now();
  await phone.close();
  await expect.poll(() => statusesOf(watcher, ben.id).at(-1), { timeout: graceMs * 5 }).toBe('offline');
  expect(performance.now() - leftAt).toBeGreaterThan(graceMs * 0.9);
  expect(statusesOf(watcher, ben.id)).toEqual(['online', 'away', 'online', 'dnd', 'away', 'offline']);
  await expect.poll(() => ask(ana, 2, ben.id)).toEqual({ [ben.id]: 'offline' });
  await watcher.close();
});

test('a reconnect within the grace, also on another instance, shows nothing', async () => {
  const [ana, ben, cal] = (await people(3)) as [TestUser, TestUser, TestUser];
  await createRoom([ana, ben, cal]);
  const watcher = await connect(urlOf(0), ana);
  await watch(watcher, ben.id, cal.id);
  let device = await connect(urlOf(0), ben);
  await expect.poll(() => statusesOf(watcher, ben.id)).toEqual(['online']);
  await say(device, 'dnd');
  await expect.poll(() => statusesOf(watcher, ben.id)).toEqual(['online', 'dnd']);
  for (const instance of [0, 1, 2, 1]) {
    await device.close();
    device = await connect(urlOf(instance), ben);
    // On the same instance a device takes over its status; elsewhere the client says it again.
    await say(device, 'dnd');
  }
  // A later change of somebody else shows that all of it has arrived.
  const marker = await connect(urlOf(1), cal);
  await expect.poll(() => statusesOf(watcher, cal.id)).toEqual(['online']);
  expect(statusesOf(watcher, ben.id)).not.toContain('offline');
  expect(statusesOf(watcher, ben.id).at(-1)).toBe('dnd');
  await Promise.all([device.close(), marker.close(), watcher.close()]);
});

test('a list replaces the one before, is bounded, and strangers and unknown people are offline', async () => {
  const [ana, ben, cal, stranger] = (await people(4)) as [TestUser, TestUser, TestUser, TestUser];
  await createRoom([ana, ben, cal]);
  const others = await Promise.all([connect(urlOf(1), ben), connect(urlOf(1), cal), connect(urlOf(1), stranger)]);
  const watcher = await connect(urlOf(0), ana);
  const unknown = '01890000-0000-7000-8000-000000000000';
  const all = [ben.id, cal.id, stranger.id, unknown, ana.id];
  const expected = {
    [ben.id]: 'online',
    [cal.id]: 'online',
    [stranger.id]: 'offline',
    [unknown]: 'offline',
    [ana.id]: 'online',
  };
  await expect.poll(() => watch(watcher, ...all)).toEqual(expected);
  await expect.poll(() => ask(ana, 2, ...all)).toEqual(expected);
  expect(await ask(stranger, 0, ana.id, ben.id)).toEqual({ [ana.id]: 'offline', [ben.id]: 'offline' });

  for (const userIds of [[...all, crypto.randomUUID()], [ben.id, ben.id], ['me'], 'ben', undefined]) {
    expect((await watcher.ask({ type: 'presence.watch', userIds })).code).toBe('invalid');
  }
  const tooMany = [...all, crypto.randomUUID()].join(',');
  for (const query of [`userIds=${tooMany}`, 'userIds=me', '', 'userIds=']) {
    const { status } = await ana.call('GET', `/v1/presence?${query}`);
    expect({ query, status }).toEqual({ query, status: query === 'userIds=' ? 200 : 400 });
  }
  expect((await watcher.ask({ type: 'presence', status: 'offline' })).code).toBe('invalid');
  expect((await watcher.ask({ type: 'presence', status: 'online', userId: ben.id })).code).toBe('invalid');

  // A refused list changes nothing; the next one leaves ben out.
  await say(others[0]!, 'away');
  await expect.poll(() => laterOf(watcher, ben.id)).toEqual(['away']);
  await watch(watcher, cal.id);
  await say(others[0]!, 'dnd');
  await say(others[2]!, 'away');
  await say(others[1]!, 'away');
  await expect.poll(() => laterOf(watcher, cal.id)).toEqual(['away']);
  expect(laterOf(watcher, ben.id)).toEqual(['away']);
  expect(statusesOf(watcher, stranger.id)).toEqual([]);
  await Promise.all([...others, watcher].map((each) => each.close()));
});

test('somebody who joins a common room begins to show, and no longer shows when it ends', async () => {
  const [ana, ben] = (await people(2)) as [TestUser, TestUser];
  const roomId = await createRoom([ana]);
  const [watcher, device] = [await connect(urlOf(0), ana), await connect(urlOf(1), ben)];
  expect(await watch(watcher, ben.id)).toEqual({ [ben.id]: 'offline' });
  await mustCall(ana, 'PUT', `/v1/rooms/${roomId}/members/${ben.id}`);
  await expect.poll(() => statusesOf(watcher, ben.id)).toEqual(['online']);
  await mustCall(ben, 'DELETE', `/v1/rooms/${roomId}/members/me`);
  await expect.poll(() => statusesOf(watcher, ben.id)).toEqual(['online', 'offline']);
  await say(device, 'away');
  expect(await ask(ana, 0, ben.id)).toEqual({ [ben.id]: 'offline' });
  await Promise.all([device.close(), watcher.close()]);
});

test('a blocked user sees the person who blocks them as offline, from the block until it ends', async () => {
  const [ana, ben] = (await people(2)) as [TestUser, TestUser];
  await createRoom([ana, ben]);
  const [watcher, device] = [await connect(urlOf(0), ana), await connect(urlOf(1), ben)];
  await mustCall(ben, 'PATCH', '/v1/users/me', { status: { text: 'Hello' } });
  await expect.poll(() => watch(watcher, ben.id)).toEqual({ [ben.id]: 'online' });
  // The block is made on an instance that nobody watches on.
  await mustCall(ben.at(urlOf(2)), 'PUT', `/v1/users/me/blocks/${ana.id}`);
  await expect
    .poll(() => seenBy(watcher, ben.id).at(-1))
    .toEqual({
      ...{ userId: ben.id, status: 'offline', customStatus: null },
    });
  await say(device, 'away');
  expect(await ask(ana, 1, ben.id)).toEqual({ [ben.id]: 'offline' });
  await expect.poll(() => ask(ben, 1, ana.id)).toEqual({ [ana.id]: 'online' });
  await mustCall(ben.at(urlOf(2)), 'DELETE', `/v1/users/me/blocks/${ana.id}`);
  await expect.poll(() => seenBy(watcher, ben.id).at(-1)).toMatchObject({ status: 'away' });
  await Promise.all([device.close(), watcher.close()]);
});

test('an invisible user shows as offline to others and not to themselves; a custom status comes with its presence', async () => {
  const [ana, ben] = (await people(2)) as [TestUser, TestUser];
  await createRoom([ana, ben]);
  const [watcher, device] = [await connect(urlOf(0), ana), await connect(urlOf(1), ben)];
  await expect.poll(() => watch(watcher, ben.id)).toEqual({ [ben.id]: 'online' });
  await watch(device, ben.id);
  const status = { emoji: '🏝️', text: 'Away from it all', expiresAt: null };
  await mustCall(ben.at(urlOf(2)), 'PATCH', '/v1/users/me', { status, invisible: true });
  const own = { userId: ben.id, customStatus: status };
  await expect.poll(() => seenBy(watcher, ben.id).at(-1)).toEqual({ ...own, status: 'offline' });
  await expect.poll(() => seenBy(device, ben.id).at(-1)).toEqual({ ...own, status: 'online' });
  await say(device, 'dnd');
  await expect.poll(() => seenBy(device, ben.id).at(-1)).toEqual({ ...own, status: 'dnd' });
  await expect.poll(() => ask(ben, 0, ben.id)).toEqual({ [ben.id]: 'dnd' });
  const found = await mustCall(ana, 'GET', `/v1/presence?userIds=${ben.id}&userIds=${ana.id}`);
  expect(found).toEqual({
    presence: { [ben.id]: 'offline', [ana.id]: 'online' },
    customStatuses: { [ben.id]: status },
  });
  // An expired status goes from watchers by itself.
  const expiresAt = new Date(Date.now() + 1500).toISOString();
  await mustCall(ben, 'PATCH', '/v1/users/me', { invisible: false, status: { ...status, expiresAt } });
  await expect
    .poll(() => seenBy(watcher, ben.id))
    .toContainEqual({
      ...{ userId: ben.id, status: 'dnd', customStatus: { ...status, expiresAt } },
    });
  await expect
    .poll(() => seenBy(watcher, ben.id).at(-1))
    .toEqual({
      ...{ userId: ben.id, status: 'dnd', customStatus: null },
    });
  await Promise.all([device.close(), watcher.close()]);
});

test('while Redis is away each instance goes on with what it knows, and afterwards the instances agree', async () => {
  const [ana, ben, cal] = (await people(3)) as [TestUser, TestUser, TestUser];
  await createRoom([ana, ben, cal]);
  const watcher = await connect(urlOf(0), ana);
  const [near, far] = [await connect(urlOf(0), ben), await connect(urlOf(1), cal)];
  await expect.poll(() => watch(watcher, ben.id, cal.id)).toEqual({ [ben.id]: 'online', [cal.id]: 'online' });
  await fleet.redis.kill();
  await expect.poll(() => metricOf(urlOf(0), 'parley_presence_shared')).toBe(0);
  await say(near, 'away');
  await expect.poll(() => laterOf(watcher, ben.id)).toEqual(['away']);
  await say(far, 'dnd');
  await fleet.redis.start();
  await expect.poll(() => metricOf(urlOf(0), 'parley_presence_shared')).toBe(1);
  await expect.poll(() => laterOf(watcher, cal.id), { timeout: 30_000 }).toEqual(['dnd']);
  // Nobody was shown as offline in between.
  expect(laterOf(watcher, ben.id)).toEqual(['away']);
  await Promise.all([near.close(), far.close(), watcher.close()]);
});

test('the people of an instance that was killed are offline within the grace, unless they came back', async () => {
  const [ana, ben, cal] = (await people(3)) as [TestUser, TestUser, TestUser];
  await createRoom([ana, ben, cal]);
  const watcher = await connect(urlOf(0), ana);
  const victim = third;
  await Promise.all([connect(victim.url, ben), connect(victim.url, cal)]);
  await expect.poll(() => watch(watcher, ben.id, cal.id)).toEqual({ [ben.id]: 'online', [cal.id]: 'online' });
  const killedAt = performance.now();
  await victim.kill();
  const back = await connect(urlOf(1), cal);
  await watcher.until(({ type, data }) => type === 'presence' && data!.userId === ben.id && data!.status === 'offline');
  const tookMs = performance.now() - killedAt;
  process.stdout.write(`presence: offline ${Math.round(tookMs)} ms after a kill, grace ${graceMs} ms\n`);
  expect(tookMs).toBeLessThan(graceMs + 1000);
  expect(tookMs).toBeGreaterThan(graceMs / 3);
  expect(laterOf(watcher, cal.id)).toEqual([]);
  const after = { [ben.id]: 'offline', [cal.id]: 'online' };
  await expect.poll(() => ask(ana, 1, ben.id, cal.id)).toEqual(after);
  await Promise.all([back.close(), watcher.close()]);
});

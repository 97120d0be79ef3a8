/**
 * Random operations of several users, each on several devices and two instances. Now and then everybody waits, and the
 * state that each device has built from events is compared with a fresh snapshot over REST.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { createParleyClient, type OwnRoom, type ParleyClient, type RoomStore } from '../../src/client/parley-client.ts';
import { untilDone } from '../chaos/patience.ts';
import { createRandom } from '../chaos/seeded-random.ts';
import { compareDevices, type Difference } from './model-check.ts';
import { type ModelDevice, memoryStorage, startModelDevice } from './model-device.ts';
import { doOne, type ModelRoom, type ModelWorld } from './model-operations.ts';

export interface ModelOptions {
  /** Of the chat instances; the devices of a user are spread over them. */
  readonly urls: readonly string[];
  readonly seed: number;
  readonly operations: number;
  /** Operations between two comparisons. */
  readonly checkEvery: number;
  readonly log?: (line: string) => void;
}

export interface ModelOutcome {
  readonly differences: readonly Difference[];
  /** By `operation outcome`. */
  readonly counts: ReadonlyMap<string, number>;
  readonly comparisons: number;
  /** Of rooms: how often unread and mentions of a device were compared. */
  readonly countsCompared: number;
  /** How often a device had to read counts again, because events did not tell them. */
  readonly recounts: number;
}

const devicesPerUser = 2;
/** Operations at once. */
const atOnce = 16;
/** Then new rooms are made, so that reading one completely stays cheap. The counts of the earlier ones are compared as well. */
const operationsPerRooms = 5000;
const settleMaxMs = 60_000;

export async function runModel(options: ModelOptions): Promise<ModelOutcome> {
  const { seed, operations, checkEvery, log = () => {} } = options;
  const people = await startModelPeople({ ...options, userCount: 6 });
  let world = await makeRooms(people);
  const counts = new Map<string, number>();
  const differences: Difference[] = [];
  let [comparisons, countsCompared] = [0, 0];
  let roomsUntil = operationsPerRooms;
  for (let done = 0; done < operations && differences.length === 0; ) {
    if (done >= roomsUntil) {
      world = await makeRooms(people);
      roomsUntil = done + operationsPerRooms;
    }
    const upTo = Math.min(operations, done + checkEvery);
    const work = async () => {
      while (done < upTo) {
        done += 1;
        const { name, outcome } = await doOne(world);
        counts.set(`${name} ${outcome}`, (counts.get(`${name} ${outcome}`) ?? 0) + 1);
      }
    };
    const beganMs = performance.now();
    await Promise.all(Array.from({ length: atOnce }, work));
    const doneMs = performance.now();
    await settle(people.devices);
    const users = [...Map.groupBy(people.devices, ({ userId }) => userId).values()];
    const fully = new Set(world.rooms.map(({ id }) => id));
    differences.push(...(await Promise.all(users.map((devices) => compareDevices(devices, { fully })))).flat());
    comparisons += people.devices.length;
    for (const device of people.devices) countsCompared += device.rooms().size;
    const [workMs, compareMs] = [doneMs - beganMs, performance.now() - doneMs].map(Math.round);
    log(
      `seed ${seed}: ${done} operations (${workMs} ms), ${comparisons} comparisons (${compareMs} ms), ${differences.length} differences`,
    );
  }
  const failures = people.devices.flatMap((device) => device.failures);
  for (const what of failures)
    differences.push({ device: '', roomId: '', what, device_: undefined, server: undefined });
  for (const device of people.devices) device.close();
  const recounts = people.devices.reduce((sum, device) => sum + device.recounts(), 0);
  return { differences, counts, comparisons, countsCompared, recounts };
}

export type ModelPeople = Pick<ModelWorld, 'devices' | 'userIds' | 'random'>;

export async function startModelPeople({
  urls,
  seed,
  userCount,
}: Pick<ModelOptions, 'urls' | 'seed'> & { readonly userCount: number }): Promise<ModelPeople> {
  const accounts = await Promise.all(
    Array.from({ length: userCount }, (_, at) => register(urls[0]!, `m${seed}x${at}x${Date.now().toString(36)}`)),
  );
  const devices = await Promise.all(
    accounts.flatMap((account) =>
      Array.from({ length: devicesPerUser }, (_, at) =>
        startModelDevice(urls[at % urls.length]!, account, `${account.username}/${at}`),
      ),
    ),
  );
  const userIds = [...new Set(devices.map(({ userId }) => userId))];
  return { devices, userIds, random: createRandom(seed) };
}

/** Everybody is in every room, so nobody blocks anybody at first. */
export async function makeRooms(people: ModelPeople): Promise<ModelWorld> {
  const { devices, userIds } = people;
  await Promise.all(devices.map(({ client }) => untilDone(() => unblockAll(client))));
  const rooms = await Promise.all([
    makeRoom(devices, userIds, { visibility: 'public', history: 'all' }),
    makeRoom(devices.slice(devicesPerUser), userIds, { visibility: 'public', history: 'all' }),
    makeRoom(devices.slice(2 * devicesPerUser), userIds, { visibility: 'private', history: 'joined' }),
  ]);
  return { ...people, rooms, messages: new Map(), polls: new Map() };
}

async function register(url: string, username: string) {
  const account = { username, password: `password of ${username}` };
  const client = createParleyClient({ baseUrl: url, storage: memoryStorage() });
  await untilDone(() => client.register({ ...account, email: `${username}@example.org` }));
  return account;
}

async function unblockAll({ call }: ParleyClient): Promise<void> {
  const { items } = await call<{ items: readonly { id: string }[] }>('GET', '/v1/users/me/blocks');
  for (const { id } of items) await call('DELETE', `/v1/users/me/blocks/${id}`);
}

async function makeRoom(
  [owner]: readonly ModelDevice[],
  userIds: readonly string[],
  kind: { readonly visibility: 'public' | 'private'; readonly history: 'all' | 'joined' },
): Promise<ModelRoom> {
  const memberIds = userIds.filter((id) => id !== owner!.userId);
  const room = { name: 'Model', ...kind, memberIds };
  const { id } = await untilDone(() => owner!.client.call<{ id: string }>('POST', '/v1/rooms', room));
  return { id, ownerId: owner!.userId };
}

/**
 * Waits until every device is connected, has read its rooms, and is at the head of each of them.
 * @param signalsMayBeLost only events are waited for
 */
export async function settle(
  devices: readonly ModelDevice[],
  { signalsMayBeLost = false }: { signalsMayBeLost?: boolean } = {},
): Promise<void> {
  const untilMs = performance.now() + settleMaxMs;
  for (let left = devices; ; ) {
    const behind = await Promise.all(left.map((device) => isBehind(device, signalsMayBeLost)));
    left = left.filter((_, at) => behind[at]);
    if (left.length === 0) return;
    if (performance.now() > untilMs) throw new Error(`not at the head: ${left.map(({ name }) => name)}`);
    await pause(100);
  }
}

async function isBehind(device: ModelDevice, signalsMayBeLost: boolean): Promise<boolean> {
  if (!device.isSettled()) return true;
  const known = device.rooms();
  const rooms = await untilDone(() => device.client.rooms());
  return (
    known.size !== rooms.length ||
    rooms.some((room) => {
      const store = known.get(room.id);
      return !store || !hasEvents(room, store) || !(signalsMayBeLost || hasSignals(room, store));
    })
  );
}

const hasEvents = ({ seq }: OwnRoom, { room }: RoomStore) => (room?.seq ?? -1) >= seq;
/** Whether it has heard of every mark and block, or knows that it has to read the counts again. */
const hasSignals = ({ readVersion }: OwnRoom, { counts }: RoomStore) =>
  counts.uncertain || (counts.answer?.readVersion ?? -1) >= readVersion;

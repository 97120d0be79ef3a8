/**
 * Random operations of several users, each on several devices and two instances. Now and then everybody waits, and the
 * state that each device has built from events is compared with a fresh snapshot over REST.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { createParleyClient, type OwnRoom, type RoomStore } from '../../src/client/parley-client.ts';
import { untilDone } from '../chaos/patience.ts';
import { createRandom } from '../chaos/seeded-random.ts';
import { compareDevice, type Difference } from './model-check.ts';
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
  /** How often a device had to read counts again, because events did not tell them. */
  readonly recounts: number;
}

const devicesPerUser = 2;
/** Operations at once. */
const atOnce = 16;
const settleMaxMs = 60_000;

export async function runModel(options: ModelOptions): Promise<ModelOutcome> {
  const { seed, operations, checkEvery, log = () => {} } = options;
  const world = await startModelWorld({ ...options, userCount: 6 });
  const counts = new Map<string, number>();
  const differences: Difference[] = [];
  let comparisons = 0;
  for (let done = 0; done < operations && differences.length === 0; ) {
    const upTo = Math.min(operations, done + checkEvery);
    const work = async () => {
      while (done < upTo) {
        done += 1;
        const { name, outcome } = await doOne(world);
        counts.set(`${name} ${outcome}`, (counts.get(`${name} ${outcome}`) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    await settle(world.devices);
    for (const device of world.devices) differences.push(...(await compareDevice(device)));
    comparisons += world.devices.length;
    log(`seed ${seed}: ${done} operations, ${comparisons} comparisons, ${differences.length} differences`);
  }
  const failures = world.devices.flatMap((device) => device.failures);
  for (const what of failures)
    differences.push({ device: '', roomId: '', what, device_: undefined, server: undefined });
  for (const device of world.devices) device.close();
  const recounts = world.devices.reduce((sum, device) => sum + device.recounts(), 0);
  return { differences, counts, comparisons, recounts };
}

export async function startModelWorld({
  urls,
  seed,
  userCount,
}: Pick<ModelOptions, 'urls' | 'seed'> & { readonly userCount: number }): Promise<ModelWorld> {
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
  const rooms = await Promise.all([
    makeRoom(devices, userIds, { visibility: 'public', history: 'all' }),
    makeRoom(devices.slice(devicesPerUser), userIds, { visibility: 'public', history: 'all' }),
    makeRoom(devices.slice(2 * devicesPerUser), userIds, { visibility: 'private', history: 'joined' }),
  ]);
  const known = { messageIds: new Map<string, string[]>(), pollIds: new Map<string, string[]>() };
  return { rooms, devices, userIds, ...known, random: createRandom(seed) };
}

async function register(url: string, username: string) {
  const account = { username, password: `password of ${username}` };
  const client = createParleyClient({ baseUrl: url, storage: memoryStorage() });
  await untilDone(() => client.register({ ...account, email: `${username}@example.org` }));
  return account;
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

/** Whether the store has all events, and all signals about the counts. */
function isAt({ seq, readVersion }: OwnRoom, store: RoomStore | undefined): boolean {
  const { room, counts } = store ?? {};
  const hasCounts = counts?.uncertain || (counts?.answer?.readVersion ?? -1) >= readVersion;
  return hasCounts === true && (room?.seq ?? -1) >= seq;
}

/** Waits until every device is connected, has read its rooms, and is at the head of each of them. */
export async function settle(devices: readonly ModelDevice[]): Promise<void> {
  const untilMs = performance.now() + settleMaxMs;
  for (;;) {
    const behind = await Promise.all(devices.map(isBehind));
    if (behind.every((each) => !each)) return;
    if (performance.now() > untilMs)
      throw new Error(`not at the head: ${devices.filter((_, at) => behind[at]).map(({ name }) => name)}`);
    await pause(50);
  }
}

async function isBehind(device: ModelDevice): Promise<boolean> {
  if (!device.isSettled()) return true;
  const known = device.rooms();
  const rooms = await untilDone(() => device.client.rooms());
  return known.size !== rooms.length || rooms.some((room) => !isAt(room, known.get(room.id)));
}

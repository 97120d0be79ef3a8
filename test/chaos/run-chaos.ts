/**
 * `npm run test:chaos -- --seed N [--seconds 60]`: clients talk while parts are killed, frozen, cut and swallowed; then everything
 * heals, and what the clients saw is compared with the log. The seed decides which faults come, when and how long.
 */
import '../../src/database/driver-fix.ts';
import { type ChaosClient, startChaosClient } from './chaos-client.ts';
import { startChaosWorld } from './chaos-world.ts';
import { checkHistories } from './history-checker.ts';
import { readLogs } from './stored-logs.ts';

interface RunArguments {
  readonly seed: number;
  readonly seconds: number;
}

function readArguments(): RunArguments {
  const numberOf = (name: string, fallback: number) => {
    const at = process.argv.indexOf(`--${name}`);
    return at === -1 ? fallback : Number(process.argv[at + 1]);
  };
  return { seed: numberOf('seed', 1), seconds: numberOf('seconds', 60) };
}

/** mulberry32 */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms));
/** After the last heal every client has to be at the head within this time. */
const headWithinMs = 60_000;

async function main(): Promise<void> {
  const { seed, seconds } = readArguments();
  const random = createRandom(seed);
  const world = await startChaosWorld();
  let failed = true;
  try {
    const people = await Promise.all(
      Array.from({ length: 6 }, (_, at) => startChaosClient(world.url, `p${seed}x${at}`)),
    );
    const rooms = await Promise.all(
      [0, 1, 2].map(
        async (at) =>
          (
            await people[at]!.client.createRoom({
              name: `Room ${at}`,
              visibility: 'private',
              memberIds: people.filter((_, other) => other !== at).map(({ userId }) => userId),
            })
          ).id,
      ),
    );
    for (const { client } of people) client.connect();
    while (people.some(({ client }) => client.state().name !== 'live')) await pause(20);

    let talking = true;
    const talks = people.map((each) =>
      each.talk(
        rooms,
        () => !talking,
        () => 20 + Math.random() * 60,
      ),
    );
    const untilMs = performance.now() + seconds * 1000;
    const happened: string[] = [];
    while (performance.now() < untilMs) {
      await pause(300 + random() * 2000);
      const fault = world.faults[Math.floor(random() * world.faults.length)]!;
      const lastsMs = 300 + random() * 5000;
      happened.push(fault.name);
      await fault.begin();
      await pause(lastsMs);
      await fault.heal();
    }
    const healedMs = performance.now();
    talking = false;
    const answered = await Promise.race([Promise.all(talks).then(() => true), pause(headWithinMs).then(() => false)]);
    const logs = await readLogs(world.databaseUrl, rooms);
    const behind = () =>
      people.filter((each: ChaosClient) => rooms.some((room) => each.position(room) < logs.get(room)!.length));
    while (behind().length > 0 && performance.now() - healedMs < headWithinMs) await pause(50);
    const headMs = performance.now() - healedMs;

    const sends = people.flatMap((each) => each.sends);
    const violations = checkHistories({
      sends,
      readers: people.flatMap((each) => rooms.map((room) => each.reader(room))),
      logs,
    });
    if (!answered) violations.push({ kind: 'lost', what: 'sends were never answered' });
    const refusals = sends.filter(({ refused }) => refused !== undefined).length;
    process.stdout.write(
      `seed ${seed}: ${sends.length} sends (${refusals} refused), ${[...logs.values()].reduce((sum, log) => sum + log.length, 0)} events, ${happened.length} faults, at head ${(headMs / 1000).toFixed(1)} s after the last heal, ${violations.length} violations\n`,
    );
    if (violations.length > 0) {
      process.stdout.write(
        `faults: ${happened.join(', ')}\n  ${await world.describe()}\n  clients: ${people.map(({ client }) => client.state().name).join(', ')}\n`,
      );
      for (const { kind, what } of violations.slice(0, 20)) process.stdout.write(`  ${kind}: ${what}\n`);
    }
    failed = violations.length > 0;
    for (const { client } of people) client.disconnect();
  } finally {
    await world.stop();
  }
  process.exit(failed ? 1 : 0);
}

await main();

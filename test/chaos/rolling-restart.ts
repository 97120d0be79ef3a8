/**
 * `npm run test:rolling [-- rounds]`: three chat instances are stopped and started in turn while users send without a pause, over sockets
 * and REST. No send may be lost, repeated, refused or unknown.
 */
import '../../src/database/connection/driver-fix.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { startChaosClient } from './chaos-client.ts';
import { startChaosWorld } from './chaos-world.ts';
import { entitlementOf } from './entitlement.ts';
import { checkHistories } from './history-checker.ts';
import { startRestSender } from './rest-sender.ts';
import { readState } from './stored-state.ts';

const rounds = Number(process.argv[2] ?? 2);
const percentile = (values: readonly number[], share: number) =>
  values.toSorted((left, right) => left - right)[Math.min(values.length - 1, Math.floor(values.length * share))]!;

const world = await startChaosWorld();
let failed = true;
try {
  const people = await Promise.all(Array.from({ length: 6 }, (_, at) => startChaosClient(world.url, `rolling${at}`)));
  const writers = await Promise.all([0, 1].map((at) => startRestSender(world.url, `writing${at}`)));
  const memberIds = [...people.slice(1), ...writers].map(({ userId }) => userId);
  const { id: room } = await people[0]!.client.createRoom({ name: 'Rolling', visibility: 'private', memberIds });
  /** Times between two events of a reader, in milliseconds. */
  const gapsMs: number[] = [];
  for (const { client } of people) {
    let lastMs = 0;
    client.on({
      onEvent: () => {
        const nowMs = performance.now();
        if (lastMs > 0) gapsMs.push(nowMs - lastMs);
        lastMs = nowMs;
      },
    });
    client.connect();
  }
  while (people.some(({ client }) => client.state().name !== 'live')) await pause(20);
  let talking = true;
  const talks = [...people, ...writers].map(async (each) => {
    while (talking) {
      await each.say(room);
      await pause(10);
    }
  });
  await pause(3000);
  const codes: (number | null)[] = [];
  for (let round = 0; round < rounds; round++) for (const at of [0, 1, 2]) codes.push(await world.restartChat(at));
  await pause(2000);
  talking = false;
  await Promise.all(talks);
  const { logs, facts } = await readState(
    world.databaseUrl,
    new Map([[room, { history: 'all', visibility: 'private' }]]),
  );
  const untilMs = performance.now() + 20_000;
  while (people.some((each) => each.position(room) < logs.get(room)!.length) && performance.now() < untilMs)
    await pause(50);
  const sends = [...people, ...writers].flatMap((each) => each.sends);
  const readers = people.map((each) => ({
    ...each.reader(room),
    entitled: entitlementOf(facts.get(room)!, each.userId),
  }));
  const violations = checkHistories({ sends, readers, logs });
  const refused = sends.filter((send) => send.refused !== undefined || send.acks.length === 0);
  const acks = people.flatMap((each) => each.ackMs);
  const spread = (values: readonly number[]) =>
    `p50 ${percentile(values, 0.5).toFixed(1)} ms, p99 ${percentile(values, 0.99).toFixed(0)} ms, longest ${percentile(values, 1).toFixed(0)} ms`;
  process.stdout.write(
    `${rounds * 3} restarts, exit codes ${codes.join(' ')}; ${sends.length} sends, ${refused.length} refused or unknown, ${violations.length} violations\n  from a send to its ack: ${spread(acks)}\n  between two events of a reader: ${spread(gapsMs)}\n`,
  );
  for (const { kind, what } of violations.slice(0, 10)) process.stdout.write(`  ${kind}: ${what}\n`);
  failed = violations.length + refused.length > 0 || codes.some((code) => code !== 0);
  for (const { client } of people) client.disconnect();
} finally {
  await world.stop();
}
process.exit(failed ? 1 : 0);

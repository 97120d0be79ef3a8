/**
 * `node test/chaos/rolling-restart.ts [rounds]`: three chat instances are stopped and started in turn while people talk without a
 * pause. Nothing may be lost, repeated, refused or unknown.
 */
import '../../src/database/driver-fix.ts';
import { startChaosClient } from './chaos-client.ts';
import { startChaosWorld } from './chaos-world.ts';
import { checkHistories } from './history-checker.ts';
import { readLogs } from './stored-logs.ts';

const rounds = Number(process.argv[2] ?? 2);
const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms));
const percentile = (values: readonly number[], share: number) =>
  values.toSorted((left, right) => left - right)[Math.min(values.length - 1, Math.floor(values.length * share))]!;

const world = await startChaosWorld({ chatCount: 3 });
let failed = true;
try {
  const people = await Promise.all(Array.from({ length: 6 }, (_, at) => startChaosClient(world.url, `rolling${at}`)));
  const memberIds = people.slice(1).map(({ userId }) => userId);
  const { id: room } = await people[0]!.client.createRoom({ name: 'Rolling', visibility: 'private', memberIds });
  for (const { client } of people) client.connect();
  while (people.some(({ client }) => client.state().name !== 'live')) await pause(20);
  let talking = true;
  const talks = people.map((each) =>
    each.talk(
      [room],
      () => !talking,
      () => 10,
    ),
  );
  await pause(3000);
  const codes: (number | null)[] = [];
  for (let round = 0; round < rounds; round++) for (const at of [0, 1, 2]) codes.push(await world.restartChat(at));
  await pause(2000);
  talking = false;
  await Promise.all(talks);
  const logs = await readLogs(world.databaseUrl, [room]);
  const untilMs = performance.now() + 20_000;
  while (people.some((each) => each.position(room) < logs.get(room)!.length) && performance.now() < untilMs)
    await pause(50);
  const sends = people.flatMap((each) => each.sends);
  const violations = checkHistories({ sends, readers: people.map((each) => each.reader(room)), logs });
  const refused = sends.filter((send) => send.refused !== undefined);
  const acks = people.flatMap((each) => each.ackMs);
  process.stdout.write(
    `${rounds * 3} restarts, exit codes ${codes.join(' ')}; ${sends.length} sends, ${refused.length} refused or unknown, ${violations.length} violations; ack p50 ${percentile(acks, 0.5).toFixed(1)} ms, p99 ${percentile(acks, 0.99).toFixed(0)} ms, longest ${percentile(acks, 1).toFixed(0)} ms\n`,
  );
  for (const { kind, what } of violations.slice(0, 10)) process.stdout.write(`  ${kind}: ${what}\n`);
  failed = violations.length + refused.length > 0 || codes.some((code) => code !== 0);
  for (const { client } of people) client.disconnect();
} finally {
  await world.stop();
}
process.exit(failed ? 1 : 0);

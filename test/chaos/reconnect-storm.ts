/**
 * `npm run test:storm [-- --clients 5000]`: all clients of two chat instances lose their connections at once, miss messages, and reconnect
 * at once with a resume. Others stay connected and keep sending. Prints when the last client was at the head, the queries per client, and
 * the effect on the others.
 */
import '../../src/database/connection/driver-fix.ts';
import { setTimeout as pause } from 'node:timers/promises';
import postgres from 'postgres';
import { backoffMs } from '../../src/client/link/backoff.ts';
import { startChaosWorld } from './chaos-world.ts';
import { connectGuest, type Guest, makeRoom, percentile, say, signUpGuests, until } from './guest-crowd.ts';

const at = process.argv.indexOf('--clients');
const count = at === -1 ? 5000 : Number(process.argv[at + 1]);
const roomSize = 100;
const stayCount = 50;
const missedPerRoom = 20;
const withinMs = 30_000;

const world = await startChaosWorld({
  chatCount: 2,
  chatSettings: {
    PARLEY_LIMITS_GUESTS_PER_MINUTE: '1000000',
    PARLEY_LIMITS_REQUESTS_PER_MINUTE: '1000000',
    PARLEY_REALTIME_HEARTBEAT: '20s',
    PARLEY_REALTIME_PONG_TIMEOUT: '20s',
  },
});
let good = false;
try {
  const sql = postgres(world.databaseUrl, { max: 1, onnotice: () => {} });
  const queries = async () => {
    await pause(1200); // The server counts with this delay.
    const [row] =
      await sql`select xact_commit + xact_rollback as count from pg_stat_database where datname = current_database()`;
    return Number(row!.count);
  };
  // Directly to the instances: a proxy in one process would be the bottleneck.
  const urlOf = (guest: Guest) => world.chatUrls[Number.parseInt(guest.userId.slice(-4), 16) % 2]!;
  const [url] = world.chatUrls as [string, string];
  const guests = await signUpGuests(url, count + stayCount);
  const staying = guests.slice(count);
  const leaving = guests.slice(0, count);
  for (let first = 0; first < count; first += roomSize) await makeRoom(url, leaving.slice(first, first + roomSize));
  await makeRoom(url, staying);
  const latenciesMs: number[] = [];
  for (const guest of staying)
    await connectGuest(urlOf(guest), guest, {
      onEvent: (_, { data }, nowMs) => {
        const sentMs = Number(data?.message?.text);
        if (sentMs > 0) latenciesMs.push(nowMs - sentMs);
      },
    });
  for (let first = 0; first < count; first += 50)
    await Promise.all(leaving.slice(first, first + 50).map((guest) => connectGuest(urlOf(guest), guest)));
  if (!(await until(() => guests.every(({ live }) => live), 60_000))) throw new Error('not all were welcomed');

  for (const { socket } of leaving) socket!.terminate();
  const heads = new Map<string, number>();
  const speakers = leaving.filter((_, place) => place % roomSize === 0);
  for (let n = 0; n < missedPerRoom; n++)
    await Promise.all(
      speakers.map(async (guest) => heads.set(guest.roomId, await say(url, guest, `missed ${n}`, `m${n}`))),
    );
  let talking = true;
  let told = 0;
  const talk = (async () => {
    while (talking) {
      await say(url, staying[told % stayCount]!, String(performance.now()), `t${told++}`).catch(() => undefined);
      await pause(20);
    }
  })();
  await pause(2000);
  const quiet = percentile(latenciesMs.splice(0), 0.99);

  const queriesBefore = await queries();
  const startMs = performance.now();
  const atHeadMs: number[] = [];
  let refusals = 0;
  await Promise.all(leaving.map((guest) => comeBack(guest)));
  async function comeBack(guest: Guest): Promise<void> {
    for (let attempt = 0; performance.now() - startMs < withinMs * 2; attempt++) {
      await connectGuest(urlOf(guest), guest);
      const isThere = () => guest.live && guest.position >= heads.get(guest.roomId)!;
      await until(() => isThere() || guest.closedWith !== undefined, withinMs * 2);
      if (isThere()) {
        atHeadMs.push(performance.now() - startMs);
        return;
      }
      refusals += 1;
      await pause(backoffMs(attempt, 0));
    }
  }
  const tookMs = performance.now() - startMs;
  talking = false;
  await talk;
  const during = percentile(latenciesMs, 0.99);
  // This includes the few queries of the clients that stayed: an upper bound.
  const perClient = ((await queries()) - queriesBefore) / count;
  const gaps = guests.reduce((sum, guest) => sum + guest.gaps, 0);
  await sql.end();
  process.stdout.write(
    `${count} clients came back at once: at head p50 ${Math.round(percentile(atHeadMs, 0.5))} ms, p99 ${Math.round(percentile(atHeadMs, 0.99))} ms, the last after ${Math.round(tookMs)} ms; ${refusals} refusals; ${atHeadMs.length} of ${count} at head; ${gaps} gaps; ${perClient.toFixed(2)} queries per client; ${told} messages of those who stayed: p99 ${Math.round(quiet)} ms before, ${Math.round(during)} ms meanwhile\n`,
  );
  good = atHeadMs.length === count && tookMs <= withinMs && gaps === 0 && during <= 2000;
  for (const { socket } of guests) socket?.terminate();
} finally {
  await world.stop();
}
process.exit(good ? 0 : 1);

/**
 * `npm run test:stalled [-- --readers 300]`: in one room, half of the readers stop reading. Prints the effect on the others, the memory of the
 * process, and whether the stalled readers find everything when they reconnect.
 */
import '../../src/database/connection/driver-fix.ts';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { startChaosWorld } from './chaos-world.ts';
import { connectGuest, type Guest, makeRoom, percentile, say, signUpGuests, until } from './guest-crowd.ts';

const at = process.argv.indexOf('--readers');
const readers = at === -1 ? 300 : Number(process.argv[at + 1]);
const secondsOf = { quiet: 8, stalled: 20 };
const filler = 'A line of ordinary words. '.repeat(150);

const world = await startChaosWorld({
  chatCount: 1,
  chatSettings: {
    PARLEY_LIMITS_GUESTS_PER_MINUTE: '1000000',
    PARLEY_LIMITS_REQUESTS_PER_MINUTE: '1000000',
    PARLEY_REALTIME_HEARTBEAT: '20s',
    PARLEY_REALTIME_PONG_TIMEOUT: '20s',
    PARLEY_RESUME_MAX_EVENTS: '100000',
  },
});
let goodRun = false;
try {
  // Directly to the instance: a proxy would read in place of the stalled clients.
  const url = world.chatUrls[0]!;
  const [chat] = world.chatPids();
  const memoryMb = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${chat}/status`, 'utf8'))![1]) / 1024;
  const guests = await signUpGuests(url, readers * 2);
  await makeRoom(url, guests);
  const good = guests.slice(0, readers);
  const stalled = guests.slice(readers);
  let latenciesMs: number[] = [];
  const onEvent = (_: Guest, frame: { data?: { message?: { text: string } } }, nowMs: number) =>
    latenciesMs.push(nowMs - Number(frame.data?.message?.text.split(' ', 1)[0]));
  for (const guest of good) await connectGuest(url, guest, { onEvent });
  for (const guest of stalled) await connectGuest(url, guest);
  if (!(await until(() => guests.every(({ live }) => live), 60_000))) throw new Error('not all were welcomed');

  let order = 0;
  async function talk(seconds: number): Promise<number> {
    latenciesMs = [];
    const untilMs = performance.now() + seconds * 1000;
    while (performance.now() < untilMs) {
      await say(url, good[order % readers]!, `${performance.now()} ${filler}`, `s${order++}`);
      await pause(25);
    }
    await pause(500);
    return percentile(latenciesMs, 0.99);
  }

  await talk(3); // Warm.
  const quiet = await talk(secondsOf.quiet);
  const memoryBefore = memoryMb();
  for (const { socket } of stalled) socket!.pause();
  let peak = memoryBefore;
  const watch = setInterval(() => {
    peak = Math.max(peak, memoryMb());
  }, 100);
  const during = await talk(secondsOf.stalled);
  clearInterval(watch);
  const closes = Number(
    /parley_socket_closes_total\{code="4008"\} (\d+)/.exec(await (await fetch(`${url}/metrics`)).text())?.[1] ?? 0,
  );
  for (const { socket } of stalled) socket!.resume();
  await until(() => stalled.every(({ closedWith }) => closedWith !== undefined), 20_000);
  const letGo = stalled.filter(({ closedWith }) => closedWith !== undefined);
  for (const guest of letGo) await connectGuest(url, guest);
  const head = Math.max(...good.map(({ position }) => position));
  const back = await until(() => guests.every(({ position }) => position >= head), 30_000);
  const gaps = guests.reduce((sum, guest) => sum + guest.gaps, 0);
  const boundMb = memoryBefore + readers;
  process.stdout.write(
    `${readers} stalled readers beside ${readers} good ones: the good ones' p99 ${quiet.toFixed(1)} ms without, ${during.toFixed(1)} ms beside them (${(during / quiet).toFixed(2)}×); memory ${Math.round(memoryBefore)} MB before, ${Math.round(peak)} MB at most (bound ${Math.round(boundMb)} MB); ${closes} closed with 4008; all back ${back ? 'at the head' : 'NOT at the head'}, ${gaps} gaps\n`,
  );
  goodRun = back && gaps === 0 && peak < boundMb && during < quiet * 2;
  for (const { socket } of guests) socket?.terminate();
} finally {
  await world.stop();
}
process.exit(goodRun ? 0 : 1);

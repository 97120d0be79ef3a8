/**
 * `npm run test:chaos -- --seed N [--seconds 60] [--runs 1]`: people send, edit, delete, read, come and go, are muted and removed,
 * while parts are killed, frozen, drained, cut, swallowed, slowed and garbled; then everything heals, and what the clients saw is
 * compared with the log. The seed decides which faults come, when and how long.
 */
import '../../src/database/driver-fix.ts';
import { setTimeout as pause } from 'node:timers/promises';
import type { Fault } from './chaos-faults.ts';
import { type ChaosTown, startChaosTown } from './chaos-town.ts';
import { type ChaosWorld, startChaosWorld } from './chaos-world.ts';
import { entitlementOf, watchersEntitlement } from './entitlement.ts';
import { checkHistories, type Violation } from './history-checker.ts';
import { createRandom } from './seeded-random.ts';
import { checkState, type StateViolation } from './state-checker.ts';
import { readHeads, readState } from './stored-state.ts';

/** Every client has to be at the head within this time of a heal. */
const headWithinMs = 60_000;

interface TimeToHead {
  readonly after: string;
  readonly ms: number;
}

interface Outcome {
  readonly violations: readonly (Violation | StateViolation)[];
  /** From a heal after which nothing else happened until everybody was at the head, milliseconds. */
  readonly heads: readonly TimeToHead[];
  readonly counts: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
}

async function run(seed: number, seconds: number): Promise<Outcome> {
  const world = await startChaosWorld();
  try {
    const town = await startChaosTown(world.url, seed);
    const heads: TimeToHead[] = [];
    const faults = await befall(world, town, { random: createRandom(seed), seconds, heads });
    const healedMs = performance.now();
    // Unanswered requests end by their own deadlines, which has nothing to do with the way to the head.
    const settling = Promise.race([town.settle().then(() => true), pause(headWithinMs * 2).then(() => false)]);
    heads.push({ after: faults.at(-1) ?? 'nothing', ms: await timeToHead(world, town, healedMs) });
    const settled = await settling;
    await timeToHead(world, town, performance.now());
    // What is told only once may still be on its way.
    await pause(1000);
    const violations = await check(world, town);
    if (!settled) violations.push({ kind: 'lost', what: 'something was never answered' });
    if (violations.length > 0) process.stdout.write(`${await world.describe()}\n`);
    await town.leave();
    const sends = [...town.people, ...town.senders].flatMap((each) => each.sends);
    return {
      violations,
      heads,
      faults,
      counts: {
        sends: sends.length,
        refused: sends.filter(({ refused }) => refused !== undefined).length,
        changes: town.people.flatMap(({ changes }) => changes).length,
        bans: town.bans.length,
      },
    };
  } finally {
    await world.stop();
  }
}

/** One fault after the other, now and then two at once. @returns what happened */
async function befall(
  world: ChaosWorld,
  town: ChaosTown,
  { random, seconds, heads }: { random: () => number; seconds: number; heads: TimeToHead[] },
): Promise<string[]> {
  const untilMs = performance.now() + seconds * 1000;
  const happened: string[] = [];
  const pick = (besides?: Fault): Fault => {
    const fault = world.faults[Math.floor(random() * world.faults.length)]!;
    return besides && fault.part === besides.part ? pick(besides) : fault;
  };
  while (performance.now() < untilMs) {
    await pause(300 + random() * 1500);
    const first = pick();
    const both = random() < 0.25 ? [first, pick(first)] : [first];
    const leftMs = untilMs - performance.now();
    const lasting = random();
    const lastsMs = first.long && lasting < 0.3 && leftMs > 25_000 ? 30_000 : 300 + lasting * 5000;
    for (const fault of both) await begin(fault);
    const name = both.map((fault) => fault.name).join(' and ');
    happened.push(name);
    await pause(lastsMs);
    // At once: a process that was killed cannot start before its database is back.
    await Promise.all(both.map((fault) => fault.heal()));
    // Sometimes nothing else happens until all is well: that is how long it takes.
    if (random() < 0.3) heads.push({ after: name, ms: await timeToHead(world, town, performance.now()) });
  }
  return happened;
}

/** A part that is down already cannot be told anything. */
async function begin(fault: Fault): Promise<void> {
  try {
    await fault.begin();
  } catch (error) {
    process.stderr.write(`${fault.name}: ${(error as Error).message}\n`);
  }
}

/** @returns milliseconds from `sinceMs` until every client has reached the heads as they are now */
async function timeToHead(world: ChaosWorld, town: ChaosTown, sinceMs: number): Promise<number> {
  const heads = await readHeads(world.databaseUrl, [...town.rooms.keys()]);
  const isBehind = (person: ChaosTown['people'][number]) =>
    person.client.state().name !== 'live' ||
    [...heads].some(([roomId, head]) => person.memberships().has(roomId) && person.position(roomId) < head);
  while (town.people.some(isBehind) && performance.now() - sinceMs < headWithinMs) await pause(20);
  return performance.now() - sinceMs;
}

async function check(world: ChaosWorld, town: ChaosTown): Promise<(Violation | StateViolation)[]> {
  const state = await readState(world.databaseUrl, town.rooms);
  const facts = [...state.facts];
  const readers = town.people.flatMap((person) =>
    facts.map(([roomId, room]) => ({ ...person.reader(roomId), entitled: entitlementOf(room, person.userId) })),
  );
  const watchers = town.watchers.map((watcher) => {
    const record = watcher.reader();
    return { ...record, entitled: watchersEntitlement(state.facts.get(record.roomId)!) };
  });
  const sends = [...town.people, ...town.senders].flatMap((each) => each.sends);
  return [
    ...checkHistories({ sends, readers: [...readers, ...watchers], logs: state.logs }),
    ...checkState(state, {
      sends,
      bans: town.bans,
      views: town.people.map((person) => ({ reader: person.name, messages: person.view() })),
      memberships: town.people.map((person) => ({ userId: person.userId, rooms: person.memberships() })),
      changes: town.people.flatMap(({ changes }) => changes),
      marks: town.people.flatMap((person) => person.marks()),
    }),
  ];
}

function readNumber(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : Number(process.argv[at + 1]);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

const first = readNumber('seed', 1);
const runs = readNumber('runs', 1);
const totals = new Map<string, number>();
const allHeadMs: number[] = [];
for (let seed = first; seed < first + runs; seed++) {
  const { violations, heads, counts, faults } = await run(seed, readNumber('seconds', 60));
  const longest = heads.reduce((most, each) => (each.ms > most.ms ? each : most));
  allHeadMs.push(...heads.map(({ ms }) => ms));
  for (const { kind } of violations) totals.set(kind, (totals.get(kind) ?? 0) + 1);
  for (const [name, count] of Object.entries(counts)) totals.set(name, (totals.get(name) ?? 0) + count);
  totals.set('faults', (totals.get('faults') ?? 0) + faults.length);
  process.stdout.write(
    `seed ${seed}: ${counts.sends} sends (${counts.refused} refused), ${counts.changes} edits and deletions, ${counts.bans} removals and mutes, ${faults.length} faults, at head ${seconds(longest.ms)} after a heal at the latest (${longest.after}), ${violations.length} violations\n`,
  );
  if (violations.length > 0) process.stdout.write(`  faults: ${faults.join(', ')}\n`);
  for (const { kind, what } of violations.slice(0, 20)) process.stdout.write(`  ${kind}: ${what}\n`);
}
if (runs > 1) {
  const sorted = allHeadMs.toSorted((left, right) => left - right);
  const p99 = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))]!;
  const kinds = ['lost', 'duplicated', 'reordered', 'gap', 'leak', 'diverged', 'wrong version', 'ghost', 'authority'];
  const others = ['refused but stored', 'read marker'];
  const counted = [...kinds, ...others].map((kind) => `${totals.get(kind) ?? 0} ${kind}`).join(', ');
  process.stdout.write(
    `${runs} seeds: ${totals.get('sends')} sends, ${totals.get('faults')} faults; ${counted}; at head after a heal: ${sorted.length} measured, p50 ${seconds(sorted[Math.floor(sorted.length / 2)]!)}, p99 ${seconds(p99)}, longest ${seconds(sorted.at(-1)!)}\n`,
  );
}
const bad = ['sends', 'refused', 'changes', 'bans', 'faults'];
process.exit([...totals.keys()].some((kind) => !bad.includes(kind)) ? 1 : 0);

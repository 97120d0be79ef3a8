/**
 * `npm run test:chaos -- --seed N [--seconds 60] [--runs 1] [--pooler none|session|transaction]`: users send, edit, delete, read, join and
 * leave, are muted and removed, and a crowd of strangers sends all at once. At the same time parts are killed, frozen and drained, their
 * connections are cut, swallowed, slowed and garbled, and the database is restored from a snapshot. Then everything heals, and what the
 * clients saw is compared with the log. No process may end by a fault of another system. The seed decides which faults happen, when and for
 * how long, and whether a pooler stands in front of Postgres.
 */
import '../../src/database/connection/driver-fix.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { startChaosConversation } from './chaos-conversation.ts';
import type { Fault } from './chaos-faults.ts';
import { type ChaosTown, startChaosTown } from './chaos-town.ts';
import { type ChaosWorld, startChaosWorld, type WorldOptions } from './chaos-world.ts';
import { entitlementOf, watchersEntitlement } from './entitlement.ts';
import { beliefsAtTheEnd, type Epoch, readerIn, sendIn } from './epochs.ts';
import { checkHistories, type Violation } from './history-checker.ts';
import { createRandom } from './seeded-random.ts';
import { checkState, type StateViolation } from './state-checker.ts';
import { readHeads, readState, type StoredState } from './stored-state.ts';
import { flaggedWord } from './strangers.ts';

/** After a heal every client must reach the head within this time. */
const headWithinMs = 60_000;
/** A fault that lasts this long must be in the log output. */
const loggedAfterMs = 3000;

interface TimeToHead {
  readonly after: string;
  readonly ms: number;
}

/** `ended`: a process ended although no fault ended it. `unseen`: a flagged message is not in the moderation queue. `silent`: an outage is not in the log output. `state`: what a device has built from events is not what REST answers. */
interface RunViolation {
  readonly kind: 'ended' | 'unseen' | 'silent' | 'state';
  readonly what: string;
}

type AnyViolation = Violation | StateViolation | RunViolation;

interface Outcome {
  readonly violations: readonly AnyViolation[];
  /** Milliseconds from a heal until all clients were at the head, if no other fault happened in between. */
  readonly heads: readonly TimeToHead[];
  readonly counts: Readonly<Record<(typeof counted)[number], number>>;
  readonly faults: readonly string[];
}

const counted = ['sends', 'refused', 'flagged', 'changes', 'others', 'bans', 'restores', 'ended'] as const;

async function run(seed: number, seconds: number, pooler: Pooler): Promise<Outcome> {
  const world = await startChaosWorld({ pooler });
  try {
    const town = await startChaosTown(world.url, seed);
    const conversation = await startChaosConversation(world.url, seed);
    const heads: TimeToHead[] = [];
    const violations: AnyViolation[] = [];
    const faults = await injectFaults(world, town, { random: createRandom(seed), seconds, heads, violations });
    const healedMs = performance.now();
    // Unanswered requests end by their own deadlines, independent of reaching the head.
    const answered = Promise.all([town.settle(), conversation.stop()]).then(() => true);
    const settling = Promise.race([answered, pause(headWithinMs * 2).then(() => false)]);
    heads.push({ after: faults.at(-1) ?? 'nothing', ms: await timeToHead(world, town, healedMs) });
    const settled = await settling;
    await timeToHead(world, town, performance.now());
    // Events without a seq may still be in flight.
    await pause(1000);
    const { found, flagged } = await check(world, town);
    violations.push(...found, ...(await conversation.check()));
    if (!settled) violations.push({ kind: 'lost', what: 'something was never answered' });
    for (const { name, output } of world.exits) violations.push({ kind: 'ended', what: `${name}: ${output}` });
    if (violations.length > 0) process.stdout.write(`${await world.describe()}\n`);
    conversation.leave();
    await town.leave();
    const sends = sendsOf(town);
    return {
      violations,
      heads,
      faults,
      counts: {
        sends: sends.length,
        refused: sends.filter(({ refused }) => refused !== undefined).length,
        flagged,
        changes: town.people.flatMap(({ changes }) => changes).length,
        others: conversation.operations(),
        bans: town.bans.length,
        restores: world.lostLogs.length,
        ended: world.exits.length,
      },
    };
  } finally {
    await world.stop();
  }
}

function sendsOf({ people, senders, strangers }: ChaosTown) {
  return [...people, ...senders, strangers].flatMap((each) => each.sends);
}

/** Runs one fault after another, sometimes two at once. @returns the faults */
async function injectFaults(
  world: ChaosWorld,
  town: ChaosTown,
  {
    random,
    seconds,
    heads,
    violations,
  }: { random: () => number; seconds: number; heads: TimeToHead[]; violations: AnyViolation[] },
): Promise<string[]> {
  const untilMs = performance.now() + seconds * 1000;
  const happened: string[] = [];
  while (performance.now() < untilMs) {
    await pause(300 + random() * 1500);
    const isStorm = happened.length % 2 === 0;
    const first = pick(isStorm ? world.faults.filter((fault) => fault.isStorm) : world.faults, random);
    const both = random() < 0.25 ? [first, pick(world.faults, random, first)] : [first];
    const leftMs = untilMs - performance.now();
    const lasting = random();
    const lastsMs = first.long && lasting < 0.3 && leftMs > 25_000 ? 30_000 : 300 + lasting * 5000;
    const living = world.chats.map(({ process: running }) => running);
    for (const fault of both) await begin(fault);
    const name = both.map((fault) => fault.name).join(' and ');
    happened.push(name);
    await pause(lastsMs);
    if (lastsMs >= loggedAfterMs && both.length === 1) violations.push(...silentChats(world, first, living));
    // All at once: a killed process cannot start before its database is back.
    await Promise.all(both.map((fault) => fault.heal()));
    // Sometimes no fault follows until all clients are at the head: that time is measured.
    if (random() < 0.3) heads.push({ after: name, ms: await timeToHead(world, town, performance.now()) });
  }
  return happened;
}

/** Picks a fault by weight. @param besides the current fault: two never hit one part at the same time */
function pick(faults: readonly Fault[], random: () => number, besides?: Fault): Fault {
  const possible = faults.filter(({ part }) => part !== besides?.part);
  const weightOf = ({ weight = 1 }: Fault) => weight;
  let left = random() * possible.reduce((sum, fault) => sum + weightOf(fault), 0);
  for (const fault of possible) {
    left -= weightOf(fault);
    if (left < 0) return fault;
  }
  return possible.at(-1)!;
}

/** Instances that survived a fault without reporting it. */
function silentChats(
  { chats }: ChaosWorld,
  { name, isLoggedAs }: Fault,
  living: readonly ChaosWorld['chats'][number]['process'][],
): RunViolation[] {
  if (!isLoggedAs) return [];
  return chats
    .filter(({ process: running }, at) => running && running === living[at] && !isLoggedAs.test(running.output()))
    .map((slot) => ({ kind: 'silent', what: `${slot.name} says nothing of "${name}"` }));
}

/** A fault cannot hit a part that is already down. */
async function begin(fault: Fault): Promise<void> {
  try {
    await fault.begin();
  } catch (error) {
    process.stderr.write(`${fault.name}: ${(error as Error).message}\n`);
  }
}

/** @returns milliseconds from `sinceMs` until every client has reached the current heads */
async function timeToHead(world: ChaosWorld, town: ChaosTown, sinceMs: number): Promise<number> {
  const heads = await readHeads(world.databaseUrl, [...town.rooms.keys()]);
  const isBehind = (person: ChaosTown['people'][number]) =>
    person.client.state().name !== 'live' ||
    [...heads].some(([roomId, head]) => person.memberships().has(roomId) && person.position(roomId) < head);
  while (town.people.some(isBehind) && performance.now() - sinceMs < headWithinMs) await pause(20);
  return performance.now() - sinceMs;
}

async function check(world: ChaosWorld, town: ChaosTown): Promise<{ found: AnyViolation[]; flagged: number }> {
  const state = await readState(world.databaseUrl, town.rooms);
  const states = [...(await readLost(world, town)), state];
  const epochs = states.map((each, at) => ({
    ...each,
    fromMs: world.lostLogs[at - 1]?.startedMs ?? 0,
    untilMs: world.lostLogs[at]?.killedMs ?? Number.POSITIVE_INFINITY,
  }));
  const found: AnyViolation[] = epochs.flatMap((epoch) => checkEpoch(epochs, epoch, town));
  const beliefs = {
    sends: sendsOf(town).map((send) => sendIn(epochs, epochs.at(-1)!, send)),
    bans: town.bans,
    views: town.people.map((person) => ({ reader: person.name, messages: person.view() })),
    memberships: town.people.map((person) => ({ userId: person.userId, rooms: person.memberships() })),
    changes: town.people.flatMap(({ changes }) => changes),
    marks: town.people.flatMap((person) => person.marks()),
  };
  found.push(...checkState(state, beliefsAtTheEnd(epochs, beliefs)));
  const flagged = [...state.messages.values()].filter(({ text }) => text.startsWith(flaggedWord));
  for (const { messageId } of flagged)
    if (!state.queued.has(messageId)) found.push({ kind: 'unseen', what: `moderators do not see ${messageId}` });
  return { found, flagged: flagged.length };
}

async function readLost({ lostLogs }: ChaosWorld, town: ChaosTown): Promise<StoredState[]> {
  const states: StoredState[] = [];
  for (const { open } of lostLogs) {
    const server = await open();
    try {
      states.push(await readState(server.url, town.rooms));
    } finally {
      await server.stop();
    }
  }
  return states;
}

/** Compares what clients saw and were answered in one epoch with its log. */
function checkEpoch(
  epochs: readonly (StoredState & Epoch)[],
  epoch: StoredState & Epoch,
  town: ChaosTown,
): Violation[] {
  const readers = town.people.flatMap((person) =>
    [...epoch.facts].map(([roomId, room]) => ({
      ...person.reader(roomId),
      entitled: entitlementOf(room, person.userId),
      hides: room.history === 'joined',
    })),
  );
  const watchers = town.watchers.map((watcher) => {
    const record = watcher.reader();
    return { ...record, entitled: watchersEntitlement(epoch.facts.get(record.roomId)!) };
  });
  return checkHistories({
    sends: sendsOf(town).map((send) => sendIn(epochs, epoch, send)),
    readers: [...readers, ...watchers].map((reader) => readerIn(epochs, epoch, reader)),
    logs: epoch.logs,
  });
}

function readNumber(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : Number(process.argv[at + 1]);
}

type Pooler = NonNullable<WorldOptions['pooler']>;

/** The pooler in front of Postgres: as the command line says, or one for every fifth seed. */
function poolerOf(seed: number): Pooler {
  const at = process.argv.indexOf('--pooler');
  if (at !== -1) return process.argv[at + 1] as Pooler;
  if (seed % 5 !== 0) return 'none';
  return seed % 10 === 0 ? 'session' : 'transaction';
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

const first = readNumber('seed', 1);
const runs = readNumber('runs', 1);
const totals = new Map<string, number>();
const allHeadMs: number[] = [];
let violationCount = 0;
for (let seed = first; seed < first + runs; seed++) {
  const pooler = poolerOf(seed);
  const { violations, heads, counts, faults } = await run(seed, readNumber('seconds', 60), pooler);
  const longest = heads.reduce((most, each) => (each.ms > most.ms ? each : most));
  allHeadMs.push(...heads.map(({ ms }) => ms));
  violationCount += violations.length;
  for (const { kind } of violations) totals.set(kind, (totals.get(kind) ?? 0) + 1);
  for (const [name, count] of Object.entries(counts))
    if (name !== 'ended') totals.set(name, (totals.get(name) ?? 0) + count);
  totals.set('faults', (totals.get('faults') ?? 0) + faults.length);
  const behind = pooler === 'none' ? '' : ` behind a pooler in ${pooler} mode`;
  process.stdout.write(
    `seed ${seed}${behind}: ${counts.sends} sends (${counts.refused} refused), ${counts.flagged} flagged, ${counts.changes} edits and deletions, ${counts.others} operations on conversations, ${counts.bans} removals and mutes, ${faults.length} faults, ${counts.restores} restores, ${counts.ended} processes ended by a fault of another system, at head ${seconds(longest.ms)} after a heal at the latest (${longest.after}), ${violations.length} violations\n`,
  );
  if (violations.length > 0) process.stdout.write(`  faults: ${faults.join(', ')}\n`);
  for (const { kind, what } of violations.slice(0, 20)) process.stdout.write(`  ${kind}: ${what}\n`);
}
if (runs > 1) {
  const sorted = allHeadMs.toSorted((left, right) => left - right);
  const p99 = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))]!;
  const kinds = [
    'lost',
    'duplicated',
    'reordered',
    'gap',
    'leak',
    'diverged',
    'wrong version',
    'ghost',
    'authority',
    'state',
  ];
  const others = ['refused but stored', 'read marker', 'unseen', 'silent'];
  const listed = [...kinds, ...others].map((kind) => `${totals.get(kind) ?? 0} ${kind}`).join(', ');
  process.stdout.write(
    `${runs} seeds: ${totals.get('sends')} sends, ${totals.get('faults')} faults, ${totals.get('restores')} restores; ${totals.get('ended') ?? 0} processes ended by a fault of another system, ${listed}; at head after a heal: ${sorted.length} measured, p50 ${seconds(sorted[Math.floor(sorted.length / 2)]!)}, p99 ${seconds(p99)}, longest ${seconds(sorted.at(-1)!)}\n`,
  );
}
process.exit(violationCount > 0 ? 1 : 0);

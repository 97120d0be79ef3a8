/**
 * Fleets that test files borrow one after the other, which saves each of them three starts. They live in the process that runs
 * the tests, and end with it. Nobody else uses a fleet while it is lent, so a file may kill what it borrowed: it is started again,
 * at the same address, for the next one. What earlier files stored is still there.
 */
import { cloneDatabase, type TestDatabase } from './cloned-database.ts';
import { audience, type HostApplication } from './host-applications.ts';
import { type ParleyProcess, type ProcessOptions, startParley, wideLimits } from './parley-process.ts';
import { type RedisProcess, startRedisProcess } from './redis-process.ts';

/** A fleet of moderated rooms has learned from decisions and judges differently, so it is a kind of its own. */
export const fleetKinds = ['chat', 'moderation'] as const;
export type FleetKind = (typeof fleetKinds)[number];

/** Of each kind. More files wait: each fleet that idles costs memory. */
const fleetsMax = 2;

/** Small bounds that only the file about them reaches, and short intervals between looks. */
const fleetSettings = {
  ...wideLimits,
  PARLEY_MODERATION_TIMEOUT: '20s',
  // A held row makes a commit wait for longer than it would for another instance.
  PARLEY_DATABASE_LOCK_TIMEOUT: '8s',
  PARLEY_LIMITS_REACTIONS_PER_MINUTE: '2000',
  PARLEY_LIMITS_PRESENCE_PER_SECOND: '1000',
  PARLEY_LIMITS_PRESENCE_BURST: '1000',
  PARLEY_PRESENCE_GRACE: '3s',
  PARLEY_PRESENCE_RECHECK: '1s',
  PARLEY_PRESENCE_WATCH_MAX: '5',
  PARLEY_ROOM_MENTION_ALL_MAX: '4',
  PARLEY_REALTIME_TYPING_MAX: '4',
  PARLEY_ROOM_PINS_MAX: '4',
  PARLEY_ROOM_RECEIPTS_MAX: '4',
  PARLEY_DRAFTS_PER_USER: '3',
  PARLEY_BOOKMARKS_PER_USER: '10',
  PARLEY_BOOKMARKS_POLL: '200ms',
  PARLEY_SCHEDULED_PER_USER: '60',
  PARLEY_SCHEDULED_POLL: '300ms',
  PARLEY_SCHEDULED_CLAIM: '2s',
  PARLEY_POLLS_CLOSE_CHECK: '200ms',
  PARLEY_ERASURE_POLL: '300ms',
  PARLEY_ERASURE_CLAIM: '1s',
  PARLEY_MESSAGE_STREAM_IDLE: '3s',
  PARLEY_MESSAGE_STREAM_JUDGE_EVERY: '30ms',
  PARLEY_MODERATION_ACCESS_MAX: '1h',
  PARLEY_AUTH_API_KEYS_MAX: '30',
};

/** What a borrower is told, as JSON. */
export interface LentFleet {
  readonly id: number;
  readonly databaseUrl: string;
  readonly redis: { readonly url: string; readonly prefix: string };
  /** Of its chat instances. */
  readonly settings: Readonly<Record<string, string>>;
  readonly host: HostApplication;
  readonly chats: readonly { readonly url: string }[];
  readonly processings: readonly { readonly processingUrl: string }[];
}

/** A part of a fleet: it is there, or was killed. */
interface Part {
  readonly kill: () => Promise<void>;
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly isDown: () => boolean;
}

export type PartName = 'chat0' | 'chat1' | 'processing0' | 'redis';

interface Fleet {
  readonly kind: FleetKind;
  readonly lent: LentFleet;
  readonly parts: Readonly<Record<PartName, Part>>;
  readonly database: TestDatabase;
}

export interface Lender {
  /** Waits until a fleet of this kind is free, and whole. */
  readonly borrow: (kind: FleetKind) => Promise<LentFleet>;
  readonly giveBack: (id: number) => void;
  readonly part: (id: number, name: PartName) => Pick<Part, 'kill' | 'start'>;
  readonly stop: () => Promise<void>;
}

export function createLender(postgresUrl: string, template: string, host: HostApplication): Lender {
  const fleets: Promise<Fleet>[] = [];
  const byId = new Map<number, Fleet>();
  const free: Record<FleetKind, Fleet[]> = { chat: [], moderation: [] };
  const started: Record<FleetKind, number> = { chat: 0, moderation: 0 };
  const waiting: Record<FleetKind, ((fleet: Fleet) => void)[]> = { chat: [], moderation: [] };

  async function find(kind: FleetKind): Promise<Fleet> {
    const next = free[kind].pop();
    if (next) return next;
    if (started[kind] === fleetsMax) return new Promise((resolve) => waiting[kind].push(resolve));
    started[kind] += 1;
    const starting = startFleet({ id: fleets.length, kind, postgresUrl, template, host });
    fleets.push(starting);
    const fleet = await starting;
    byId.set(fleet.lent.id, fleet);
    return fleet;
  }

  return {
    borrow: async (kind) => {
      const { lent, parts } = await find(kind);
      // Redis first: the others look for it when they start.
      for (const part of [parts.redis, parts.processing0, parts.chat0, parts.chat1])
        if (part.isDown()) await part.start();
      return lent;
    },
    giveBack: (id) => {
      const fleet = byId.get(id)!;
      const next = waiting[fleet.kind].shift();
      if (next) next(fleet);
      else free[fleet.kind].push(fleet);
    },
    part: (id, name) => byId.get(id)!.parts[name],
    stop: async () => {
      for (const { value: fleet } of (await Promise.allSettled(fleets)) as { value?: Fleet }[]) {
        if (!fleet) continue;
        const { redis, ...processes } = fleet.parts;
        await Promise.all(Object.values(processes).map((each) => each.stop()));
        await redis.stop();
        await fleet.database.drop();
      }
    },
  };
}

interface FleetOptions {
  readonly id: number;
  readonly kind: FleetKind;
  readonly postgresUrl: string;
  readonly template: string;
  readonly host: HostApplication;
}

/** Two chat instances and a processing instance, over a database and a Redis of their own. */
async function startFleet({ id, kind, postgresUrl, template, host }: FleetOptions): Promise<Fleet> {
  const [database, redis] = await Promise.all([cloneDatabase(postgresUrl, template), startRedisProcess()]);
  const prefix = database.url.split('/').at(-1)!;
  const { issuer, jwksUrl } = host;
  const common = {
    ...fleetSettings,
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    PARLEY_REDIS_PREFIX: prefix,
    PARLEY_AUTH_ISSUERS: JSON.stringify([{ issuer, audience, jwksUrl }]),
  };
  const processing = await startPart({ role: 'processing', settings: common });
  const settings = { ...common, PROCESSING_URL: processing.first.processingUrl };
  const [one, two] = await Promise.all([startPart({ role: 'chat', settings }), startPart({ role: 'chat', settings })]);
  return {
    kind,
    database,
    lent: {
      ...{ id, databaseUrl: database.url, redis: { url: redis.url, prefix }, settings, host },
      chats: [one, two].map(({ first }) => ({ url: first.url })),
      processings: [{ processingUrl: processing.first.processingUrl }],
    },
    parts: { chat0: one, chat1: two, processing0: processing, redis: redisPart(redis) },
  };
}

/** A process that is started again with the same settings at the same addresses. */
async function startPart(options: ProcessOptions): Promise<Part & { readonly first: ParleyProcess }> {
  const first = await startParley(options);
  const httpPort = Number(new URL(first.url).port);
  const processingPort = Number(new URL(first.processingUrl).port);
  let current = first;
  return {
    first,
    kill: () => current.kill(),
    start: async () => {
      current = await startParley({ ...options, httpPort, processingPort });
    },
    stop: async () => void (current.exited() || (await current.stop())),
    isDown: () => current.exited(),
  };
}

function redisPart(redis: RedisProcess): Part {
  let isDown = false;
  const kill = () => {
    isDown = true;
    return redis.kill();
  };
  return {
    kill,
    start: async () => {
      await redis.start();
      isDown = false;
    },
    stop: kill,
    isDown: () => isDown,
  };
}

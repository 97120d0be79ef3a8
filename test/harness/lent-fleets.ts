/**
 * Fleets that test files borrow one after the other, which saves each of them three starts. They live in the process that runs
 * the tests, and end when nobody has wanted them for a while. Nobody else uses a fleet while it is lent, so a file may kill what
 * it borrowed: it is started again, at the same address, for the next one. What earlier files stored is still there.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { cloneDatabase } from './cloned-database.ts';
import { audience, type HostApplication } from './host-applications.ts';
import { type ParleyProcess, type ProcessOptions, startParley, wideLimits } from './parley-process.ts';
import { type RedisProcess, startRedisProcess } from './redis-process.ts';

/** Of each kind. More files wait: each fleet that idles costs memory. */
const fleetsMax = 2;
/** An idle fleet takes a tenth of a processor for its looks, and a start seven seconds of one. */
const idleMaxMs = 60_000;

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
  PARLEY_BOOKMARKS_POLL: '400ms',
  PARLEY_SCHEDULED_PER_USER: '60',
  PARLEY_SCHEDULED_POLL: '400ms',
  PARLEY_SCHEDULED_CLAIM: '2s',
  PARLEY_POLLS_CLOSE_CHECK: '400ms',
  PARLEY_ERASURE_POLL: '400ms',
  PARLEY_ERASURE_CLAIM: '1s',
  PARLEY_MESSAGE_STREAM_IDLE: '3s',
  PARLEY_MESSAGE_STREAM_JUDGE_EVERY: '30ms',
  PARLEY_MODERATION_ACCESS_MAX: '1h',
  PARLEY_AUTH_API_KEYS_MAX: '30',
};

/** Two chat instances each. */
const fleetKinds = {
  chat: {
    processings: 1,
    settings: { ...fleetSettings, PARLEY_LIMITS_LOGINS_PER_ACCOUNT: '8', PARLEY_LIMITS_WITHOUT_REDIS: '4' },
  },
  /** Has learned from decisions, and judges differently since. */
  moderation: { processings: 1, settings: fleetSettings },
  /** Nothing repairs by a regular look what must be right at once. */
  'rare-checks': {
    processings: 0,
    settings: { ...wideLimits, PARLEY_REALTIME_HEAD_CHECK: '60s', PARLEY_REALTIME_MEMBERSHIP_CHECK: '60s' },
  },
} as const;
export type FleetKind = keyof typeof fleetKinds;

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
  /** What it wrote, if it ended and nobody had asked for that. */
  readonly crash: () => string | undefined;
}

export type PartName = `chat${number}` | `processing${number}` | 'redis';

interface Fleet {
  readonly kind: FleetKind;
  readonly lent: LentFleet;
  /** In the order in which they start. */
  readonly parts: ReadonlyMap<PartName, Part>;
  readonly stop: () => Promise<void>;
}

/** The fleets of a kind. */
interface Shelf {
  started: number;
  /** With the timer that ends it. */
  readonly free: { readonly fleet: Fleet; readonly timer: NodeJS.Timeout }[];
  readonly waiting: ((fleet: Fleet) => void)[];
}

export interface Lender {
  /** Waits until a fleet of this kind is free, and whole. */
  readonly borrow: (kind: FleetKind) => Promise<LentFleet>;
  /** @throws Error with what a process wrote that ended by itself */
  readonly giveBack: (id: number) => void;
  readonly part: (id: number, name: PartName) => Pick<Part, 'kill' | 'start'>;
  readonly stop: () => Promise<void>;
}

export function createLender(postgresUrl: string, template: string, host: HostApplication): Lender {
  let nextId = 0;
  const running = new Set<Promise<Fleet>>();
  const byId = new Map<number, Fleet>();
  const shelves = new Map<FleetKind, Shelf>();

  function shelfOf(kind: FleetKind): Shelf {
    const shelf = shelves.get(kind) ?? { started: 0, free: [], waiting: [] };
    shelves.set(kind, shelf);
    return shelf;
  }

  async function find(kind: FleetKind): Promise<Fleet> {
    const shelf = shelfOf(kind);
    const next = shelf.free.pop();
    if (next) {
      clearTimeout(next.timer);
      return next.fleet;
    }
    if (shelf.started === fleetsMax) return new Promise((resolve) => shelf.waiting.push(resolve));
    shelf.started += 1;
    const starting = startFleet({ id: nextId++, kind, postgresUrl, template, host });
    running.add(starting);
    starting.catch(() => {
      shelf.started -= 1;
    });
    const fleet = await starting;
    byId.set(fleet.lent.id, fleet);
    return fleet;
  }

  function put(fleet: Fleet): void {
    const shelf = shelfOf(fleet.kind);
    const next = shelf.waiting.shift();
    if (next) {
      next(fleet);
      return;
    }
    const timer = setTimeout(() => {
      shelf.free.splice(shelf.free.indexOf(free), 1);
      shelf.started -= 1;
      void fleet.stop();
    }, idleMaxMs);
    const free = { fleet, timer };
    shelf.free.push(free);
  }

  return {
    borrow: async (kind) => {
      const { lent, parts } = await find(kind);
      const down = [...parts.values()].filter((part) => part.isDown());
      for (const part of down) await part.start();
      if (down.length > 0) await Promise.all(lent.chats.map(({ url }) => untilLinked(url)));
      return lent;
    },
    giveBack: (id) => {
      const fleet = byId.get(id)!;
      const crashes = [...fleet.parts].map(([name, { crash }]) => [name, crash()] as const).filter(([, text]) => text);
      put(fleet);
      if (crashes.length > 0)
        throw new Error(crashes.map(([name, text]) => `${name} ended by itself:\n${text}`).join('\n'));
    },
    part: (id, name) => byId.get(id)!.parts.get(name)!,
    stop: async () => {
      for (const { free } of shelves.values()) for (const { timer } of free) clearTimeout(timer);
      const fleets = (await Promise.allSettled(running)) as { value?: Fleet }[];
      await Promise.all(fleets.map(({ value }) => value?.stop()));
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

/** Over a database and a Redis of their own. */
async function startFleet({ id, kind, postgresUrl, template, host }: FleetOptions): Promise<Fleet> {
  const [database, redisProcess] = await Promise.all([cloneDatabase(postgresUrl, template), startRedisProcess()]);
  const prefix = database.url.split('/').at(-1)!;
  const { issuer, jwksUrl } = host;
  const common = {
    ...fleetKinds[kind].settings,
    DATABASE_URL: database.url,
    REDIS_URL: redisProcess.url,
    PARLEY_REDIS_PREFIX: prefix,
    PARLEY_AUTH_ISSUERS: JSON.stringify([{ issuer, audience, jwksUrl }]),
  };
  const processings = await startParts(fleetKinds[kind].processings, { role: 'processing', settings: common });
  const settings = { ...common, PROCESSING_URL: processings.map(({ first }) => first.processingUrl).join(',') };
  const chats = await startParts(2, { role: 'chat', settings });
  const redis = redisPart(redisProcess);
  let stopped: Promise<void> | undefined;
  async function stop(): Promise<void> {
    await Promise.all([...processings, ...chats].map((each) => each.stop()));
    await redis.stop();
    await database.drop();
  }
  return {
    kind,
    stop: () => (stopped ??= stop()),
    lent: {
      ...{ id, databaseUrl: database.url, redis: { url: redisProcess.url, prefix }, settings, host },
      chats: chats.map(({ first }) => ({ url: first.url })),
      processings: processings.map(({ first }) => ({ processingUrl: first.processingUrl })),
    },
    parts: new Map<PartName, Part>([
      ['redis', redis],
      ...processings.map((part, index) => [`processing${index}`, part] as const),
      ...chats.map((part, index) => [`chat${index}`, part] as const),
    ]),
  };
}

const startParts = (count: number, options: ProcessOptions) =>
  Promise.all(Array.from({ length: count }, () => startPart(options)));

/** An instance whose Redis was away notices its return by itself. */
async function untilLinked(url: string): Promise<void> {
  for (;;) {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    if (/^parley_hints_up 1$/m.test(metrics) && !metrics.includes('parley_breaker_open{peer="redis-counters"} 1'))
      return;
    await pause(100);
  }
}

/** A process that is started again with the same settings at the same addresses. */
async function startPart(options: ProcessOptions): Promise<Part & { readonly first: ParleyProcess }> {
  const first = await startParley(options);
  const httpPort = Number(new URL(first.url).port);
  const processingPort = Number(new URL(first.processingUrl).port);
  let current = first;
  let killed = false;
  return {
    first,
    kill: () => {
      killed = true;
      return current.kill();
    },
    start: async () => {
      current = await startParley({ ...options, httpPort, processingPort });
      killed = false;
    },
    crash: () => (current.exited() && !killed ? current.output() : undefined),
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
    crash: () => undefined,
  };
}

/** All parts as separate processes, with a proxy between any two. */
import postgres from 'postgres';
import { migrate } from '../../src/database/migrate.ts';
import { startPgbouncer } from '../harness/pgbouncer-process.ts';
import { freePort } from '../harness/ports.ts';
import { startRedisProcess } from '../harness/redis-process.ts';
import { type LostLog, startChaosDatabase } from './chaos-database.ts';
import { type Fault, listFaults } from './chaos-faults.ts';
import { createSlot, type Slot, type UnexpectedExit, watchSlots } from './chaos-slot.ts';
import { flaggedWord } from './strangers.ts';
import { startTcpProxy } from './tcp-proxy.ts';

export interface ChaosWorld {
  /** The address for clients: the running chat instances in turn. */
  readonly url: string;
  /** The address of each chat instance. */
  readonly chatUrls: readonly string[];
  readonly chatPids: () => readonly number[];
  readonly chats: readonly Slot[];
  /** The database without proxies, for the checker. */
  readonly databaseUrl: string;
  /** Logs that restores replaced, in order. */
  readonly lostLogs: readonly LostLog[];
  /** Processes that ended although no fault ended them. */
  readonly exits: readonly UnexpectedExit[];
  readonly faults: readonly Fault[];
  /** Stops an instance with SIGTERM and starts it again. @returns its exit code */
  readonly restartChat: (at: number) => Promise<number | null>;
  /** The state that each chat instance reports, for a failed run. */
  readonly describe: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

const settings = {
  PARLEY_LIMITS_MESSAGES_PER_SECOND: '1000',
  PARLEY_LIMITS_MESSAGES_BURST: '1000',
  PARLEY_LIMITS_FRAMES_PER_SECOND: '1000',
  PARLEY_LIMITS_FRAMES_BURST: '1000',
  PARLEY_LIMITS_GUESTS_PER_MINUTE: '10000',
  PARLEY_REALTIME_SOCKETS_PER_USER: '500',
  PARLEY_REALTIME_HEARTBEAT: '2s',
  PARLEY_REALTIME_PONG_TIMEOUT: '3s',
  PARLEY_DRAIN_WINDOW: '500ms',
  LOG_LEVEL: 'warn',
};

export interface WorldOptions {
  readonly chatCount?: number;
  readonly chatSettings?: Readonly<Record<string, string>>;
  /** The pooler between Parley and Postgres. */
  readonly pooler?: 'none' | 'session' | 'transaction';
}

export async function startChaosWorld({
  chatCount = 3,
  chatSettings = {},
  pooler = 'none',
}: WorldOptions = {}): Promise<ChaosWorld> {
  const database = await startChaosDatabase();
  await migrate(database.url);
  await addFlaggingRule(database.url);
  const pgbouncer =
    pooler === 'none'
      ? undefined
      : await startPgbouncer({ url: database.url, poolMode: pooler, poolSize: poolSizes[pooler] });
  const pooling: Record<string, string> = pooler === 'transaction' ? { PARLEY_DATABASE_POOLING: 'transaction' } : {};
  const databasePort = pgbouncer?.port ?? database.port;
  const urlAt = (port: number) => database.url.replace(`:${database.port}/`, `:${port}/`);
  const redis = await startRedisProcess();
  const proxiesTo = (port: number) => Promise.all(Array.from({ length: chatCount }, () => startTcpProxy(() => [port])));
  const postgresProxies = await proxiesTo(databasePort);
  const redisProxies = await proxiesTo(redis.port);

  const processingPorts = await freePorts(2);
  const processingProxies = await Promise.all(processingPorts.map((port) => startTcpProxy(() => [port])));
  const processings = processingPorts.map((processingPort, at) =>
    createSlot(`processing ${at}`, {
      role: 'processing',
      processingPort,
      settings: { ...settings, ...pooling, DATABASE_URL: urlAt(databasePort) },
    }),
  );
  const chatPorts = await freePorts(chatCount);
  const chats = chatPorts.map((httpPort, at) =>
    createSlot(`chat ${at}`, {
      role: 'chat',
      httpPort,
      settings: {
        ...settings,
        ...pooling,
        DATABASE_URL: urlAt(postgresProxies[at]!.port),
        REDIS_URL: `redis://127.0.0.1:${redisProxies[at]!.port}`,
        PROCESSING_URL: processingProxies.map((proxy) => `http://127.0.0.1:${proxy.port}`).join(','),
        ...chatSettings,
      },
    }),
  );
  const slots = [...chats, ...processings];
  // Not all at once: each start keeps a core busy for seconds, and a start that takes too long fails.
  for (const group of [processings, chats]) for (const slot of group) await slot.start();
  const watch = watchSlots(slots);
  const door = await startTcpProxy(() => chatPorts);
  const faults = listFaults({
    ...{ chats, processings, redis, postgres: database, postgresProxies, redisProxies, processingProxies, door },
  });

  return {
    url: `http://127.0.0.1:${door.port}`,
    chatUrls: chatPorts.map((port) => `http://127.0.0.1:${port}`),
    chatPids: () => chats.map((slot) => slot.process!.pid),
    chats,
    databaseUrl: database.url,
    lostLogs: database.lost,
    exits: watch.exits,
    faults,
    restartChat: async (at) => {
      const code = await chats[at]!.end('stop');
      await chats[at]!.start();
      return code;
    },
    describe: async () => {
      const reports = chatPorts.map((port, at) => describeChat(port, chats[at]!));
      return (await Promise.all(reports)).join('\n  ');
    },
    stop: async () => {
      watch.stop();
      for (const slot of slots) slot.process?.signal('SIGCONT');
      await Promise.all(slots.map((slot) => slot.end('kill')));
      const proxies = [door, ...redisProxies, ...postgresProxies, ...processingProxies];
      await Promise.all(proxies.map((proxy) => proxy.stop()));
      await redis.kill();
      await pgbouncer?.stop();
      await database.end();
    },
  };
}

/** Connections to Postgres: in session mode enough for all instances, in transaction mode a few shared ones. */
const poolSizes = { session: 90, transaction: 15 };

async function addFlaggingRule(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await sql`insert into moderation_rules (id, kind, pattern, action, created_by)
    values (gen_random_uuid(), 'word', ${flaggedWord}, 'flag', gen_random_uuid())`;
  await sql.end();
}

function freePorts(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, () => freePort()));
}

async function describeChat(port: number, { process }: Slot): Promise<string> {
  const get = (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(3000) }).then(
      (answer) => answer.text(),
      (error: unknown) => String(error),
    );
  const telling =
    /^parley_(sends_total|verdicts_total|breaker_open|sockets_welcomed|hints_up|seq_conflicts|gap_backfills|frame_errors|cut_off|stalls|database_limits)/;
  const lines = (await get('/metrics')).split('\n').filter((line) => telling.test(line));
  const log = (process?.output() ?? '').trim().split('\n').slice(-6);
  return [`chat at ${port}: ${await get('/health/ready')}`, ...lines, ...log].join('\n    ');
}

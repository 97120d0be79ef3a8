/** Everything as processes of their own, with a proxy between any two. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pino from 'pino';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/database/embedded.ts';
import { migrate } from '../../src/database/migrate.ts';
import { startParley } from '../harness/parley-process.ts';
import { freePort } from '../harness/ports.ts';
import { startRedisProcess } from '../harness/redis-process.ts';
import { type Fault, listFaults, type Slot } from './chaos-faults.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export interface ChaosWorld {
  /** Where clients connect: the living chat instances in turn. */
  readonly url: string;
  /** Each chat instance by itself. */
  readonly chatUrls: readonly string[];
  readonly chatPids: () => readonly number[];
  /** The database itself, past all proxies, for the checker. */
  readonly databaseUrl: string;
  readonly faults: readonly Fault[];
  /** Stops an instance with SIGTERM and starts it again. @returns its exit code */
  readonly restartChat: (at: number) => Promise<number | null>;
  /** What each chat instance says of itself, for a run that went wrong. */
  readonly describe: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

const settings = {
  PARLEY_LIMITS_MESSAGES_PER_SECOND: '1000',
  PARLEY_LIMITS_MESSAGES_BURST: '1000',
  PARLEY_LIMITS_FRAMES_PER_SECOND: '1000',
  PARLEY_LIMITS_FRAMES_BURST: '1000',
  PARLEY_REALTIME_SOCKETS_PER_USER: '500',
  PARLEY_REALTIME_HEARTBEAT: '2s',
  PARLEY_REALTIME_PONG_TIMEOUT: '3s',
  PARLEY_DRAIN_WINDOW: '500ms',
  LOG_LEVEL: 'warn',
};

export async function startChaosWorld({
  chatCount = 3,
  chatSettings = {},
}: {
  chatCount?: number;
  chatSettings?: Readonly<Record<string, string>>;
} = {}): Promise<ChaosWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'parley-chaos-'));
  const postgresPort = await freePort();
  const startDatabase = () => startEmbeddedPostgres({ dir, logger: pino({ level: 'silent' }), port: postgresPort });
  const database: { server: EmbeddedPostgres } = { server: await startDatabase() };
  const databaseUrl = database.server.url;
  await migrate(databaseUrl);
  const redis = await startRedisProcess();
  const proxiesTo = (port: number) => Promise.all(Array.from({ length: chatCount }, () => startTcpProxy(() => [port])));
  const postgresProxies = await proxiesTo(postgresPort);
  const redisProxies = await proxiesTo(redis.port);

  const processingPorts = await freePorts(2);
  const processingProxies = await Promise.all(processingPorts.map((port) => startTcpProxy(() => [port])));
  const processings = processingPorts.map((processingPort) =>
    createSlot({ role: 'processing', processingPort, settings: { ...settings, DATABASE_URL: databaseUrl } }),
  );
  const throughProxy = (proxy: TcpProxy) => databaseUrl.replace(`:${postgresPort}/`, `:${proxy.port}/`);
  const chatPorts = await freePorts(chatCount);
  const chats = chatPorts.map((httpPort, at) =>
    createSlot({
      role: 'chat',
      httpPort,
      settings: {
        ...settings,
        DATABASE_URL: throughProxy(postgresProxies[at]!),
        REDIS_URL: `redis://127.0.0.1:${redisProxies[at]!.port}`,
        PROCESSING_URL: processingProxies.map((proxy) => `http://127.0.0.1:${proxy.port}`).join(','),
        ...chatSettings,
      },
    }),
  );
  // Not all at once: each start keeps a core busy for seconds, and gives up when it takes far too long.
  for (const slots of [processings, chats]) for (const slot of slots) await slot.start();
  const door = await startTcpProxy(() => chatPorts);
  const faults = listFaults({
    chats,
    processings,
    redis,
    postgres: {
      url: databaseUrl,
      kill: () => database.server.kill(),
      start: async () => {
        database.server = await startDatabase();
      },
    },
    postgresProxies,
    redisProxies,
    processingProxies,
    door,
  });

  return {
    url: `http://127.0.0.1:${door.port}`,
    chatUrls: chatPorts.map((port) => `http://127.0.0.1:${port}`),
    chatPids: () => chats.map((slot) => slot.process!.pid),
    databaseUrl,
    faults,
    restartChat: async (at) => {
      const code = await chats[at]!.process!.stop();
      await chats[at]!.start();
      return code;
    },
    describe: async () => {
      const reports = chatPorts.map((port, at) => describeChat(port, chats[at]!));
      return (await Promise.all(reports)).join('\n  ');
    },
    stop: async () => {
      const slots = [...chats, ...processings];
      for (const slot of slots) slot.process?.signal('SIGCONT');
      await Promise.all(slots.map((slot) => (slot.process?.exited() ? undefined : slot.process?.kill())));
      const proxies = [door, ...redisProxies, ...postgresProxies, ...processingProxies];
      await Promise.all(proxies.map((proxy) => proxy.stop()));
      await redis.kill();
      await database.server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function freePorts(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, () => freePort()));
}

/** What befell its database beside it heals at the same time, within a few seconds; each start takes about one. */
const startsMax = 20;
const betweenStartsMs = 250;

function createSlot(options: Parameters<typeof startParley>[0]): Slot {
  const slot: Slot = {
    process: undefined,
    // One that begins while its database is out of reach ends with one clear line; whoever runs it starts it again.
    start: async () => {
      for (let starts = 1; ; starts++) {
        try {
          slot.process = await startParley(options);
          return;
        } catch (error) {
          if (starts === startsMax || !String(error).includes('the database cannot be used')) throw error;
          await pause(betweenStartsMs);
        }
      }
    },
  };
  return slot;
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
  const log = process!.output().trim().split('\n').slice(-6);
  return [`chat at ${port}: ${await get('/health/ready')}`, ...lines, ...log].join('\n    ');
}

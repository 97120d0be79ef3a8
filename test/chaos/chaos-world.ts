/** Everything as processes of their own, with a proxy between any two, and the faults that can befall them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/database/embedded.ts';
import { migrate } from '../../src/database/migrate.ts';
import { type ParleyProcess, startParley } from '../harness/parley-process.ts';
import { freePort } from '../harness/ports.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export interface Fault {
  readonly name: string;
  readonly begin: () => Promise<void> | void;
  readonly heal: () => Promise<void> | void;
}

export interface ChaosWorld {
  /** Where clients connect: the living chat instances in turn. */
  readonly url: string;
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

interface Slot {
  process: ParleyProcess | undefined;
  readonly start: () => Promise<void>;
}

export async function startChaosWorld({ chatCount = 2 }: { chatCount?: number } = {}): Promise<ChaosWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'parley-chaos-'));
  const postgresPort = await freePort();
  const logger = pino({ level: 'silent' });
  const database: { server: EmbeddedPostgres } = {
    server: await startEmbeddedPostgres({ dir, logger, port: postgresPort }),
  };
  await migrate(database.server.url);
  const databaseUrl = database.server.url;
  const redis = await startRedis();
  const postgresProxies = await Promise.all(
    Array.from({ length: chatCount }, () => startTcpProxy(() => [postgresPort])),
  );
  const redisProxy = await startTcpProxy(() => [redis.port]);

  const processings: Slot[] = [];
  const processingPorts = [await freePort(), await freePort()];
  const processingProxies = await Promise.all(processingPorts.map((port) => startTcpProxy(() => [port])));
  const throughProxy = (proxy: TcpProxy) => databaseUrl.replace(`:${postgresPort}/`, `:${proxy.port}/`);
  for (const port of processingPorts) {
    const slot: Slot = {
      process: undefined,
      start: async () => {
        slot.process = await startParley({
          role: 'processing',
          processingPort: port,
          settings: { ...settings, DATABASE_URL: databaseUrl },
        });
      },
    };
    processings.push(slot);
  }
  const chats: Slot[] = [];
  const chatPorts = await Promise.all(Array.from({ length: chatCount }, () => freePort()));
  for (const [at, port] of chatPorts.entries()) {
    const slot: Slot = {
      process: undefined,
      start: async () => {
        slot.process = await startParley({
          role: 'chat',
          httpPort: port,
          settings: {
            ...settings,
            DATABASE_URL: throughProxy(postgresProxies[at]!),
            REDIS_URL: `redis://127.0.0.1:${redisProxy.port}`,
            PROCESSING_URL: processingProxies.map((proxy) => `http://127.0.0.1:${proxy.port}`).join(','),
          },
        });
      },
    };
    chats.push(slot);
  }
  await Promise.all([...processings, ...chats].map((slot) => slot.start()));
  const door = await startTcpProxy(() => chatPorts);

  const freeze = (name: string, slot: Slot): Fault => ({
    name,
    begin: () => slot.process?.signal('SIGSTOP'),
    heal: () => slot.process?.signal('SIGCONT'),
  });
  const kill = (name: string, slot: Slot): Fault => ({ name, begin: () => slot.process?.kill(), heal: slot.start });
  const drain = (name: string, slot: Slot): Fault => ({
    name,
    begin: async () => {
      await slot.process?.stop();
    },
    heal: slot.start,
  });
  const network = (name: string, proxy: TcpProxy, mode: 'cut' | 'swallow'): Fault => ({
    name,
    begin: () => proxy.become(mode),
    heal: () => proxy.become('pass'),
  });

  const faults: Fault[] = [
    ...chats.flatMap((slot, at) => [
      kill(`chat ${at} killed`, slot),
      freeze(`chat ${at} frozen`, slot),
      drain(`chat ${at} drained`, slot),
    ]),
    ...processings.flatMap((slot, at) => [
      kill(`processing ${at} killed`, slot),
      freeze(`processing ${at} frozen`, slot),
    ]),
    ...processingProxies.map((proxy, at) => network(`processing ${at} swallowed`, proxy, 'swallow')),
    ...postgresProxies.flatMap((proxy, at) => [
      network(`chat ${at} cut from Postgres`, proxy, 'cut'),
      network(`chat ${at}'s Postgres swallowed`, proxy, 'swallow'),
    ]),
    network('Redis cut', redisProxy, 'cut'),
    network('Redis swallowed', redisProxy, 'swallow'),
    { name: 'Redis killed', begin: redis.kill, heal: redis.start },
    network('clients cut', door, 'cut'),
    network('clients swallowed', door, 'swallow'),
    {
      name: 'Postgres killed',
      begin: () => database.server.kill(),
      heal: async () => {
        database.server = await startEmbeddedPostgres({ dir, logger, port: postgresPort });
      },
    },
  ];

  return {
    url: `http://127.0.0.1:${door.port}`,
    databaseUrl,
    faults,
    restartChat: async (at) => {
      const code = await chats[at]!.process!.stop();
      await chats[at]!.start();
      return code;
    },
    describe: async () => {
      const reports = chatPorts.map(async (port, at) => {
        const get = (path: string) =>
          fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(3000) }).then(
            (answer) => answer.text(),
            (error: unknown) => String(error),
          );
        const telling =
          /^parley_(sends_total|verdicts_total|breaker_open|sockets_welcomed|hints_up|seq_conflicts|gap_backfills|frame_errors)/;
        const lines = (await get('/metrics')).split('\n').filter((line) => telling.test(line));
        const log = chats[at]!.process!.output().trim().split('\n').slice(-6);
        return [`chat ${at}: ${await get('/health/ready')}`, ...lines, ...log].join('\n    ');
      });
      return (await Promise.all(reports)).join('\n  ');
    },
    stop: async () => {
      for (const slot of [...chats, ...processings]) slot.process?.signal('SIGCONT');
      await Promise.all(
        [...chats, ...processings].map((slot) => (slot.process?.exited() ? undefined : slot.process?.kill())),
      );
      await Promise.all([door, redisProxy, ...postgresProxies, ...processingProxies].map((proxy) => proxy.stop()));
      await redis.kill();
      await database.server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function startRedis() {
  const port = await freePort();
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const next = spawn(
      'redis-server',
      ['--port', String(port), '--save', '', '--appendonly', 'no', '--bind', '127.0.0.1'],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    child = next;
    await new Promise<void>((resolve) =>
      next.stdout!.on('data', (chunk: Buffer) => chunk.includes('Ready to accept') && resolve()),
    );
  };
  await start();
  return {
    port,
    start,
    kill: async () => {
      if (!child || child.signalCode !== null) return;
      const gone = new Promise<void>((resolve) => child!.once('exit', () => resolve()));
      child.kill('SIGKILL');
      await gone;
    },
  };
}

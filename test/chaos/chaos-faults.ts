/** All faults of a chaos run, and how each is undone. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import type { RedisProcess } from '../harness/redis-process.ts';
import type { ChaosDatabase } from './chaos-database.ts';
import type { Slot } from './chaos-slot.ts';
import type { ProxyMode, TcpProxy } from './tcp-proxy.ts';

export interface Fault {
  readonly name: string;
  /** The part that it hits. Two faults never hit one part at the same time. */
  readonly part: string;
  /** It may last longer than others, like a machine that sleeps. */
  readonly long?: boolean;
  /** Its frequency relative to the others; default 1. */
  readonly weight?: number;
  /** The database breaks many times, or is restored: every second fault of a run is one of these. */
  readonly isStorm?: boolean;
  /** Every chat instance that survives it must report it in its log. */
  readonly isLoggedAs?: RegExp;
  readonly begin: () => Promise<void> | void;
  readonly heal: () => Promise<void> | void;
}

export interface Parts {
  readonly chats: readonly Slot[];
  readonly processings: readonly Slot[];
  readonly redis: RedisProcess;
  readonly postgres: ChaosDatabase;
  /** From each chat instance. */
  readonly postgresProxies: readonly TcpProxy[];
  readonly redisProxies: readonly TcpProxy[];
  /** To each processing instance. */
  readonly processingProxies: readonly TcpProxy[];
  /** Between clients and all chat instances. */
  readonly door: TcpProxy;
}

export function listFaults(parts: Parts): Fault[] {
  const { chats, processings, redis, postgresProxies, redisProxies, processingProxies, door } = parts;
  return [
    ...chats.flatMap((slot, at) => [
      killed(`chat ${at}`, slot),
      { ...frozen(`chat ${at}`, slot), long: true },
      drained(`chat ${at}`, slot),
    ]),
    ...processings.flatMap((slot, at) => [
      killed(`processing ${at}`, slot),
      frozen(`processing ${at}`, slot),
      drained(`processing ${at}`, slot),
    ]),
    ...processingProxies.flatMap((proxy, at) =>
      network(`processing ${at}`, proxy, ['cut', 'swallow', 'swallow down', 'slow', 'garble']),
    ),
    everyProcessing(processings),
    ...postgresProxies.flatMap((proxy, at) =>
      network(`chat ${at}'s Postgres`, proxy, ['cut', 'swallow', 'swallow up', 'swallow down', 'slow']),
    ),
    ...redisProxies.flatMap((proxy, at) =>
      network(`chat ${at}'s Redis`, proxy, ['cut', 'swallow', 'swallow up', 'swallow down', 'slow', 'garble']),
    ),
    {
      ...{ name: 'Redis killed', part: 'Redis', long: true, isLoggedAs: redisAway },
      begin: redis.kill,
      heal: redis.start,
    },
    refusingRedis(redis),
    {
      name: 'Redis stopped',
      part: 'Redis',
      begin: () => redis.signal('SIGSTOP'),
      heal: () => redis.signal('SIGCONT'),
    },
    { name: 'Redis emptied', part: 'Redis', begin: () => tellRedis(redis, 'FLUSHALL'), heal: () => {} },
    {
      name: 'Redis out of memory',
      part: 'Redis',
      begin: () => tellRedis(redis, 'CONFIG', 'SET', 'maxmemory', '1'),
      heal: () => tellRedis(redis, 'CONFIG', 'SET', 'maxmemory', '0'),
    },
    { name: 'Postgres killed', part: 'Postgres', begin: parts.postgres.kill, heal: parts.postgres.start },
    ...stoppedPostgres(parts.postgres.url),
    ...databaseStorms(parts),
    restoredPostgres(parts.postgres),
    ...network('clients', door, ['cut', 'swallow', 'swallow up', 'swallow down', 'slow']),
  ];
}

function killed(part: string, slot: Slot): Fault {
  return { name: `${part} killed`, part, begin: async () => void (await slot.end('kill')), heal: slot.start };
}

function frozen(part: string, slot: Slot): Fault {
  return {
    name: `${part} frozen`,
    part,
    begin: () => slot.process?.signal('SIGSTOP'),
    heal: () => slot.process?.signal('SIGCONT'),
  };
}

function drained(part: string, slot: Slot): Fault {
  return { name: `${part} drained`, part, begin: async () => void (await slot.end('stop')), heal: slot.start };
}

function everyProcessing(processings: readonly Slot[]): Fault {
  return {
    name: 'all processing killed',
    part: 'processing',
    begin: async () => void (await Promise.all(processings.map((slot) => slot.end('kill')))),
    heal: async () => void (await Promise.all(processings.map((slot) => slot.start()))),
  };
}

function network(part: string, proxy: TcpProxy, modes: readonly ProxyMode[]): Fault[] {
  return modes.map((mode) => ({
    name: `${part}: ${mode}`,
    part,
    begin: () => proxy.become(mode),
    heal: () => proxy.become('pass'),
  }));
}

async function tellRedis({ url }: Pick<RedisProcess, 'url'>, command: string, ...words: string[]): Promise<void> {
  const redis = new Redis(url, { commandTimeout: 2000, maxRetriesPerRequest: 1 });
  redis.on('error', () => {});
  try {
    await redis.call(command, ...words);
  } finally {
    redis.disconnect();
  }
}

/** A warning in the log, with the reason. */
const redisAway = /"system":"Redis[^\n]*"reason"/;

/** Changes the password: existing connections end, and new ones are refused. */
function refusingRedis(redis: RedisProcess): Fault {
  const password = 'changed';
  const asAdmin = redis.url.replace('redis://', `redis://:${password}@`);
  return {
    ...{ name: 'Redis refuses', part: 'Redis', weight: 6, isLoggedAs: redisAway },
    begin: async () => {
      await tellRedis(redis, 'CONFIG', 'SET', 'requirepass', password);
      for (const kind of ['normal', 'pubsub'])
        await tellRedis({ url: asAdmin }, 'CLIENT', 'KILL', 'TYPE', kind, 'SKIPME', 'yes');
    },
    heal: () => tellRedis({ url: asAdmin }, 'CONFIG', 'SET', 'requirepass', ''),
  };
}

/** Breaks the connections to Postgres, or restarts the server, again and again under load. */
function databaseStorms({ postgres: database, postgresProxies }: Parts): Fault[] {
  const again = async (times: number, what: () => Promise<void>) => {
    for (let left = times; left > 0; left--) await what();
  };
  return [
    {
      ...{ name: "Postgres's backends ended again and again", part: 'Postgres', isStorm: true },
      begin: () => endBackends(database.url, 40),
      heal: () => {},
    },
    {
      ...{ name: 'Postgres restarted again and again', part: 'Postgres', isStorm: true },
      begin: () => again(4, database.restartAtOnce),
      heal: database.start,
    },
    {
      ...{ name: "every chat's Postgres: cut again and again", part: 'Postgres', isStorm: true },
      begin: () =>
        again(20, async () => {
          for (const mode of ['cut', 'pass'] as const) {
            for (const proxy of postgresProxies) proxy.become(mode);
            await pause(80);
          }
        }),
      heal: () => {},
    },
  ];
}

async function endBackends(url: string, times: number): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    for (let left = times; left > 0; left--) {
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'parley-%'`;
      await pause(50);
    }
  } finally {
    await sql.end();
  }
}

/** Takes a snapshot of the files, sends many messages, and restores the files. */
function restoredPostgres(database: ChaosDatabase): Fault {
  return {
    ...{ name: 'Postgres put back to a snapshot', part: 'Postgres', isStorm: true },
    begin: async () => {
      await database.snapshot();
      await pause(4000);
      await database.restore();
    },
    heal: database.start,
  };
}

/** The server and each of its processes, which have process groups of their own. */
function stoppedPostgres(url: string): Fault[] {
  let stopped: number[] = [];
  return [
    {
      name: 'Postgres stopped',
      part: 'Postgres',
      begin: async () => {
        const sql = postgres(url, { max: 1, onnotice: () => {} });
        const [row] = await sql`select pg_backend_pid() as pid`;
        stopped = familyOf(parentOf(row!.pid as number));
        await sql.end();
        for (const pid of stopped) signal(pid, 'SIGSTOP');
      },
      heal: () => {
        for (const pid of stopped) signal(pid, 'SIGCONT');
      },
    },
  ];
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has already ended.
  }
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
}

function familyOf(postmaster: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return parentOf(pid) === postmaster;
      } catch {
        return false;
      }
    });
  return [postmaster, ...children];
}

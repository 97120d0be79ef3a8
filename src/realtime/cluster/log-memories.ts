/**
 * Keeps what instances remember of the log outside of Postgres: in a folder that is no part of the database's volume, and in Redis if
 * there is one. After a restart of everything, a successor finds out with it whether the log went back. Losing both is safe: then the log
 * gets a new id.
 */
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Outages } from '../../logger/outages.ts';
import { openRedisLink, type RedisLinkSettings, redisOutage } from '../../redis-link.ts';
import type { LogMemory } from './log-witnesses.ts';

/** A memory that another instance left, or an earlier run of this one. */
export interface LeftMemory {
  readonly memory: LogMemory;
  /** Its process has ended for certain. Of processes on other hosts that is not known. */
  readonly isGone: boolean;
}

export interface LogMemories {
  /** Writes the memory soon. Never throws. */
  readonly keep: (memory: LogMemory) => void;
  /** The memories of this database that others left, no older than `maxAgeMs`. Never throws. */
  readonly recall: (database: string) => Promise<readonly LeftMemory[]>;
  /** Writes the last memory. */
  readonly stop: () => Promise<void>;
}

export interface LogMemoriesSettings {
  /** Default: a folder of this user among the system's temporary files. */
  readonly folder: string | undefined;
  readonly redis: (RedisLinkSettings & { readonly prefix: string; readonly commandTimeout: number }) | undefined;
  /** An older memory proves nothing, because other instances may have run since. */
  readonly maxAgeMs: number;
}

interface Kept {
  readonly pid: number;
  readonly host: string;
  readonly atMs: number;
  readonly memory: LogMemory;
}

/** Under load a memory changes with each commit. It is written at most this often. */
const writeEveryMs = 200;

export function createLogMemories({
  logger,
  outages,
  settings,
}: {
  logger: Logger;
  outages: Outages;
  settings: LogMemoriesSettings;
}): LogMemories {
  const places = [createFolder(settings.folder ?? defaultFolder(), settings.maxAgeMs)];
  const redis = settings.redis && createRedisPlace(settings.redis, outages, settings.maxAgeMs);
  if (redis) places.push(redis);
  const host = hostname();
  let next: LogMemory | undefined;
  let writing: Promise<void> | undefined;
  let lastMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  async function write(): Promise<void> {
    timer = undefined;
    if (!next) return;
    lastMs = performance.now();
    const text = JSON.stringify({ pid: process.pid, host, atMs: Date.now(), memory: next } satisfies Kept);
    const { witness } = next;
    next = undefined;
    for (const { name, put } of places) {
      await put(witness, text).catch((error: unknown) => logger.debug({ error, place: name }, 'log memory not kept'));
    }
  }

  function plan(): void {
    if (timer || writing) return;
    timer = setTimeout(
      () => {
        writing = write().then(written, written);
      },
      Math.max(0, lastMs + writeEveryMs - performance.now()),
    );
    timer.unref();
  }

  function written(): void {
    writing = undefined;
    if (next) plan();
  }

  function isGone({ pid, host: where }: Kept): boolean {
    if (where !== host) return false;
    if (pid === process.pid) return true;
    try {
      process.kill(pid, 0);
      return false;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ESRCH';
    }
  }

  return {
    keep: (memory) => {
      next = memory;
      plan();
    },
    recall: async (database) => {
      const found = await Promise.all(
        places.map(({ name, all }) =>
          all().catch((error: unknown) => {
            logger.debug({ error, place: name }, 'log memories not read');
            return [];
          }),
        ),
      );
      const now = Date.now();
      const newest = new Map<string, Kept>();
      for (const kept of found.flat().flatMap(parse)) {
        const { memory, atMs } = kept;
        if (memory.database !== database || now - atMs > settings.maxAgeMs) continue;
        if ((newest.get(memory.witness)?.atMs ?? 0) < atMs) newest.set(memory.witness, kept);
      }
      return [...newest.values()].map((kept) => ({ memory: kept.memory, isGone: isGone(kept) }));
    },
    stop: async () => {
      clearTimeout(timer);
      await writing;
      await write();
      redis?.stop();
    },
  };
}

interface Place {
  readonly name: string;
  readonly put: (witness: string, text: string) => Promise<void>;
  readonly all: () => Promise<string[]>;
}

/** One folder per user of the machine, because nobody else may write there. */
function defaultFolder(): string {
  return join(tmpdir(), `parley-${userInfo().username.replace(/\W/g, '_')}`);
}

function createFolder(folder: string, maxAgeMs: number): Place {
  const fileOf = (witness: string) => join(folder, `log-${witness}.json`);
  return {
    name: folder,
    put: async (witness, text) => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await requireOwn(folder);
      const path = fileOf(witness);
      await writeFile(`${path}.new`, text, { mode: 0o600 });
      await rename(`${path}.new`, path);
    },
    all: async () => {
      await requireOwn(folder);
      const texts: string[] = [];
      for (const name of await readdir(folder)) {
        if (!/^log-.*\.json(\.new)?$/.test(name)) continue;
        const path = join(folder, name);
        const { mtimeMs } = await stat(path);
        if (Date.now() - mtimeMs > maxAgeMs) await rm(path, { force: true });
        else if (name.endsWith('.json')) texts.push(await readFile(path, 'utf8'));
      }
      return texts;
    },
  };
}

/** @throws Error for a folder that another user made */
async function requireOwn(folder: string): Promise<void> {
  const { uid } = await stat(folder);
  const self = process.getuid?.();
  if (self !== undefined && uid !== self) throw new Error(`${folder} belongs to another user`);
}

function createRedisPlace(
  { prefix, commandTimeout, ...address }: NonNullable<LogMemoriesSettings['redis']>,
  outages: Outages,
  maxAgeMs: number,
): Place & { stop: () => void } {
  const key = `${prefix}:log-memories`;
  const outage = redisOutage(outages, 'log memories');
  const link = openRedisLink(address, { commandTimeout, maxRetriesPerRequest: 1 }, outage);

  async function reported<Value>(work: Promise<Value>): Promise<Value> {
    try {
      const value = await work;
      outage.ended();
      return value;
    } catch (error) {
      outage.failed(error);
      throw error;
    }
  }

  return {
    name: 'redis',
    put: async (witness, text) => {
      await reported(link.hset(key, witness, text));
      await reported(link.pexpire(key, maxAgeMs));
    },
    all: async () => {
      const found = await reported(link.hgetall(key));
      const isOld = (text: string) => parse(text).every(({ atMs }) => atMs < Date.now() - maxAgeMs);
      const old = Object.keys(found).filter((witness) => isOld(found[witness]!));
      if (old.length > 0) await reported(link.hdel(key, ...old));
      return Object.values(found);
    },
    stop: () => link.disconnect(),
  };
}

/** @returns an empty list for a text that is no memory: it is of another build, or was written in part */
function parse(text: string): Kept[] {
  try {
    const { pid, host, atMs, memory } = JSON.parse(text) as Kept;
    const { witness, logId, database, beat, events } = memory;
    const isWhole =
      [witness, logId, database, host].every((each) => typeof each === 'string') &&
      [pid, atMs, beat].every(Number.isSafeInteger) &&
      Array.isArray(events);
    return isWhole ? [{ pid, host, atMs, memory }] : [];
  } catch {
    return [];
  }
}

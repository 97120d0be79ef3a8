/**
 * The Postgres of a chaos run. It is killed, restarted, and restored from a snapshot of its files. The log that a restore replaces is kept,
 * so that what clients saw before the restore can be compared with it.
 */
import { cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pino from 'pino';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/database/embedded/embedded-postgres.ts';
import { freePort } from '../harness/ports.ts';

/** A log that a restore replaced. */
export interface LostLog {
  /** By `performance.now()`: when its server was killed, and when the next one was started. */
  readonly killedMs: number;
  readonly startedMs: number;
  /** Starts a server on its files. */
  readonly open: () => Promise<EmbeddedPostgres>;
}

export interface ChaosDatabase {
  readonly url: string;
  readonly port: number;
  readonly start: () => Promise<void>;
  readonly kill: () => Promise<void>;
  /** Shuts the server down immediately (SIGQUIT) and starts it again: every connection gets the error for a crash. */
  readonly restartAtOnce: () => Promise<void>;
  /** Copies the files as a crash would leave them, then starts the server again. */
  readonly snapshot: () => Promise<void>;
  /** Kills the server and restores its files from the snapshot. Start it afterwards. */
  readonly restore: () => Promise<void>;
  readonly lost: readonly LostLog[];
  readonly end: () => Promise<void>;
}

const startTries = 100;

export async function startChaosDatabase(): Promise<ChaosDatabase> {
  const dir = await mkdtemp(join(tmpdir(), 'parley-chaos-'));
  const data = join(dir, 'postgres', 'data');
  const snapshot = join(dir, 'snapshot');
  const port = await freePort();
  const lost: { killedMs: number; startedMs: number; open: () => Promise<EmbeddedPostgres> }[] = [];
  let server: EmbeddedPostgres | undefined;

  /** Processes of a killed server keep its shared memory for a moment. */
  async function startOn(folder: string, at?: number): Promise<EmbeddedPostgres> {
    for (let left = startTries; ; left--) {
      try {
        return await startEmbeddedPostgres({
          dir: folder,
          logger: pino({ level: 'silent' }),
          ...(at === undefined ? {} : { port: at }),
        });
      } catch (error) {
        if (left === 0) throw error;
        await pause(100);
      }
    }
  }

  async function start(): Promise<void> {
    if (server) return;
    // Before it starts: on a busy machine clients may use the server before this process knows that it runs.
    for (const log of lost) if (log.startedMs === Number.POSITIVE_INFINITY) log.startedMs = performance.now();
    server = await startOn(dir, port);
  }

  async function down(how: 'kill' | 'stop'): Promise<void> {
    const running = server;
    server = undefined;
    await running?.[how]();
  }

  async function restartAtOnce(): Promise<void> {
    const pid = Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0]);
    process.kill(pid, 'SIGQUIT');
    while (isAlive(pid)) await pause(10);
    await down('stop');
    await start();
  }

  await start();
  const { url } = server!;
  return {
    url,
    port,
    start,
    kill: () => down('kill'),
    restartAtOnce,
    snapshot: async () => {
      await down('kill');
      await rm(snapshot, { recursive: true, force: true });
      await cp(data, snapshot, { recursive: true });
      await start();
    },
    restore: async () => {
      const killedMs = performance.now();
      await down('kill');
      const folder = join(dir, `lost-${lost.length}`);
      await mkdir(join(folder, 'postgres'), { recursive: true });
      await rename(data, join(folder, 'postgres', 'data'));
      await cp(join(dir, 'postgres', 'password'), join(folder, 'postgres', 'password'));
      await cp(snapshot, data, { recursive: true });
      lost.push({ killedMs, startedMs: Number.POSITIVE_INFINITY, open: () => startOn(folder) });
    },
    lost,
    end: async () => {
      await down('stop');
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A Postgres of a test's own: killed, stopped, started again on the same port, and its files put back to an earlier state. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/database/embedded/embedded-postgres.ts';
import { freePort } from './ports.ts';

export interface PostgresProcess {
  readonly url: string;
  readonly port: number;
  /** The data directory. */
  readonly data: string;
  /** `kill -9`. */
  readonly kill: () => Promise<void>;
  /** A clean stop. */
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
  /** Copies the files while the server is down: what a snapshot of its volume would hold. */
  readonly snapshot: () => Promise<void>;
  /** Puts the files back to the snapshot while the server is down. */
  readonly restore: () => Promise<void>;
  /** Stops it and removes its files. */
  readonly end: () => Promise<void>;
}

const startTries = 50;

export async function startPostgresProcess(): Promise<PostgresProcess> {
  const dir = await mkdtemp(join(tmpdir(), 'parley-postgres-'));
  const data = join(dir, 'postgres', 'data');
  const port = await freePort();
  let server: EmbeddedPostgres | undefined;

  async function start(): Promise<void> {
    for (let left = startTries; ; left--) {
      try {
        server = await startEmbeddedPostgres({ dir, port, logger: pino({ level: 'silent' }) });
        return;
      } catch (error) {
        // Processes of a server that was killed may hold its memory for a moment.
        if (left === 0) throw error;
        await new Promise((wake) => setTimeout(wake, 100));
      }
    }
  }

  async function down(how: 'stop' | 'kill'): Promise<void> {
    const running = server;
    server = undefined;
    await running?.[how]();
  }

  await start();
  const { url } = server!;
  return {
    url,
    port,
    data,
    kill: () => down('kill'),
    stop: () => down('stop'),
    start,
    snapshot: async () => {
      await rm(`${data}.snapshot`, { recursive: true, force: true });
      await cp(data, `${data}.snapshot`, { recursive: true });
    },
    restore: async () => {
      await rm(data, { recursive: true });
      await cp(`${data}.snapshot`, data, { recursive: true });
    },
    end: async () => {
      await down('stop');
      await rm(dir, { recursive: true, force: true });
    },
  };
}

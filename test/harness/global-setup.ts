/** Starts what integration tests share: one Postgres with a migrated template database, one Redis. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import postgres from 'postgres';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/database/embedded/embedded-postgres.ts';
import { migrate } from '../../src/database/migrate.ts';
import { freePort } from './ports.ts';
import { serveSharedServers } from './shared-servers.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** postgres:// of the server's maintenance database. */
    postgresUrl: string;
    templateDatabase: string;
    redisUrl: string;
    /** Answers where the shared Parley is, and lends fleets. */
    sharedServersUrl: string;
  }
}

const templateDatabase = 'parley_template';

interface Shared {
  readonly postgresUrl: string;
  readonly redisUrl: string;
  readonly sharedServersUrl: string;
  readonly stop: () => Promise<void>;
}

/**
 * The projects of one run share the servers: the first starts them, the last stops them. Kept beside the modules, because Vitest
 * loads this file once per project.
 */
const run = globalThis as { parleyTestServers?: { started: Promise<Shared>; users: number } };

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  run.parleyTestServers ??= { started: startServers(), users: 0 };
  const servers = run.parleyTestServers;
  servers.users += 1;
  const { postgresUrl, redisUrl, sharedServersUrl, stop } = await servers.started;
  project.provide('postgresUrl', postgresUrl);
  project.provide('templateDatabase', templateDatabase);
  project.provide('redisUrl', redisUrl);
  project.provide('sharedServersUrl', sharedServersUrl);
  return async () => {
    servers.users -= 1;
    if (servers.users > 0) return;
    delete run.parleyTestServers;
    await stop();
  };
}

async function startServers(): Promise<Shared> {
  const dir = await mkdtemp(join(tmpdir(), 'parley-test-'));
  const database = await startEmbeddedPostgres({ dir, logger: pino({ level: 'silent' }), fast: true });
  const postgresUrl = database.url.replace(/\/[^/]*$/, '/postgres');
  const admin = postgres(postgresUrl, { max: 1, onnotice: () => {} });
  await admin.unsafe(`create database ${templateDatabase}`);
  await migrate(postgresUrl.replace(/\/postgres$/, `/${templateDatabase}`));
  await admin.unsafe(`alter database ${templateDatabase} with is_template true allow_connections false`);
  await admin.end();
  const redis = await startRedis();
  const sharedServers = await serveSharedServers(postgresUrl, templateDatabase);
  return {
    postgresUrl,
    redisUrl: redis.url,
    sharedServersUrl: sharedServers.url,
    stop: async () => {
      await sharedServers.stop();
      redis.child.kill('SIGTERM');
      await database.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function startRedis(): Promise<{ url: string; child: ChildProcess }> {
  const port = await freePort();
  const child = spawn(
    'redis-server',
    ['--port', String(port), '--save', '', '--appendonly', 'no', '--bind', '127.0.0.1'],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  await new Promise<void>((resolve, reject) => {
    child.once('error', () =>
      reject(
        new Error('redis-server is missing: `npm test` installs it on Debian as root, otherwise install it yourself'),
      ),
    );
    child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)));
    child.stdout!.on('data', (chunk: Buffer) => {
      if (chunk.includes('Ready to accept connections')) resolve();
    });
  });
  return { url: `redis://127.0.0.1:${port}`, child };
}

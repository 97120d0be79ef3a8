/** Whole Parleys for tests: one process with both roles, or several of each, on a database of their own. */
import { inject } from 'vitest';
import { type ParleyProcess, patientModeration, startParley, wideLimits } from './parley-process.ts';
import { createDatabase, type TestDatabase } from './test-database.ts';

export interface Single extends ParleyProcess {
  readonly database: TestDatabase;
  readonly end: () => Promise<void>;
}

/** One `all` process. Limits are wide, so that a test is about what it says it is about. */
export async function startSingle(settings: Readonly<Record<string, string>> = {}, httpPort?: number): Promise<Single> {
  const database = await createDatabase();
  const parley = await startParley({
    role: 'all',
    settings: { DATABASE_URL: database.url, ...wideLimits, ...patientModeration, ...settings },
    ...(httpPort === undefined ? {} : { httpPort }),
  });
  return {
    ...parley,
    database,
    end: async () => {
      await parley.stop();
      await database.drop();
    },
  };
}

export interface Fleet {
  readonly database: TestDatabase;
  readonly chats: ParleyProcess[];
  readonly processings: ParleyProcess[];
  readonly end: () => Promise<void>;
}

/** Chat and processing instances as separate processes over one Postgres and one Redis. */
export async function startFleet({
  chats: chatCount,
  processings: processingCount,
  redisUrl = inject('redisUrl'),
  settings = {},
}: {
  chats: number;
  processings: number;
  redisUrl?: string;
  settings?: Readonly<Record<string, string>>;
}): Promise<Fleet> {
  const database = await createDatabase();
  const common = {
    DATABASE_URL: database.url,
    REDIS_URL: redisUrl,
    PARLEY_REDIS_PREFIX: database.url.split('/').at(-1)!,
    ...wideLimits,
    ...settings,
  };
  const processings = await Promise.all(
    Array.from({ length: processingCount }, () => startParley({ role: 'processing', settings: common })),
  );
  const urls = processings.map((each) => each.processingUrl).join(',');
  const chats = await Promise.all(
    Array.from({ length: chatCount }, () =>
      startParley({ role: 'chat', settings: { ...common, PROCESSING_URL: urls } }),
    ),
  );
  return {
    database,
    chats,
    processings,
    end: async () => {
      await Promise.all([...chats, ...processings].filter((each) => !each.exited()).map((each) => each.stop()));
      await database.drop();
    },
  };
}

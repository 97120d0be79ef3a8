/** Checks a Postgres server before it is used. If Parley cannot work with it, the start ends with one line that says what to do. */
import postgres from 'postgres';
import { parseDatabaseUrl } from './database-url.ts';
import { driverOptions, poolingOf } from './driver-options.ts';
import { type Pooling, takenForGranted } from './session-settings.ts';

/** Parley cannot work with this server. The message is one line for the operator. */
export class UnfitDatabaseError extends Error {}

/** The first version that the statements work with; PostgreSQL's own support for 13 ended in November 2025. */
const oldestVersion = 14;
const connectTimeoutMs = 10_000;

/** What the server reports about itself. */
export interface ServerFacts {
  readonly version: number;
  readonly encoding: string;
  readonly read_only: boolean;
  readonly standby: boolean;
  /** Null: the server does not know the setting. */
  readonly settings: Readonly<Record<string, string | null>>;
}

/**
 * @throws UnfitDatabaseError for a server that Parley cannot work with; the driver's error if it cannot be reached; an error with the
 *   code 25006 while it is read-only, which may end (a standby that is about to take over)
 */
export async function checkServer(url: string, pooling: Pooling): Promise<void> {
  const facts = await readFacts(url);
  requireFit(facts);
  // Parley sets up its own connections when they begin. Those of a pooler have the settings of the role.
  if (poolingOf(parseDatabaseUrl(url), pooling) === 'transaction') requireSettings(facts);
}

async function readFacts(url: string): Promise<ServerFacts> {
  const options = driverOptions(parseDatabaseUrl(url), { name: 'check', connectTimeout: connectTimeoutMs });
  const sql = postgres({ ...options, max: 1, prepare: false, fetch_types: false });
  try {
    // The role's own limit may be too short for this query.
    return await sql.begin(async (tx) => {
      await tx`set local statement_timeout = ${tx.unsafe(String(connectTimeoutMs))}`;
      const [row] = await tx<ServerFacts[]>`
        select current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding,
          current_setting('transaction_read_only') = 'on' as read_only, pg_is_in_recovery() as standby,
          (select json_object_agg(name, current_setting(name, true))
            from unnest(string_to_array(${Object.keys(takenForGranted).join()}, ',')) name) as settings`;
      return row!;
    });
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** @throws UnfitDatabaseError, or an error with the code 25006 while the server is read-only */
export function requireFit({ version, encoding, read_only, standby }: ServerFacts): void {
  const major = Math.floor(version / 10_000);
  if (major < oldestVersion)
    throw new UnfitDatabaseError(`the server is PostgreSQL ${major}; Parley needs ${oldestVersion} or newer`);
  if (encoding !== 'UTF8')
    throw new UnfitDatabaseError(
      `the database's encoding is ${encoding}, which cannot hold every text; make one with: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`,
    );
  if (read_only)
    throw Object.assign(
      new Error(
        standby
          ? 'the server is a read-only standby'
          : 'the database is read-only (default_transaction_read_only is on for the server, the database or the role)',
      ),
      { code: '25006' },
    );
}

/** @throws UnfitDatabaseError if the settings would change the meaning of Parley's statements */
function requireSettings({ settings }: ServerFacts): void {
  const statements = Object.entries(takenForGranted)
    .filter(([name, wanted]) => {
      const value = settings[name];
      // DateStyle has two parts: `ISO, DMY`.
      return typeof value === 'string' && value.split(',')[0]!.toLowerCase() !== wanted.toLowerCase();
    })
    .map(([name, wanted]) => `ALTER ROLE … SET ${name} = '${wanted}'`);
  if (statements.length > 0)
    throw new UnfitDatabaseError(
      `behind a pooler in transaction mode Parley cannot set up sessions, and theirs do not fit; set: ${statements.join('; ')}`,
    );
}

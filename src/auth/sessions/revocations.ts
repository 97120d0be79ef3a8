/**
 * An instance's copy of the list of revocations: ended sessions and accounts, ended tokens of host applications, and bans.
 *
 * `sync` guarantees that everything committed before the call is known when it resolves. Each row has the id of its
 * transaction. A read continues from the oldest transaction that the last read saw unfinished, so a slow commit is never
 * missed. Concurrent requests share one read (database/freshness-batch.ts).
 */
import type { Logger } from 'pino';
import type { Sql } from '../../database/connect.ts';
import type { FreshnessBatch } from '../../database/freshness-batch.ts';

export interface RevocationTarget {
  readonly userId: string;
  readonly sessionId: string | undefined;
  /** Of a host application's token, milliseconds since the epoch. */
  readonly issuedAt?: number;
}

export interface RevocationHorizon {
  /** Rows of this and later transactions may be unknown, … */
  readonly xmin: string;
  /** … except these. */
  readonly knownIds: readonly string[];
}

export interface Revocations {
  readonly sync: () => Promise<void>;
  /** Whether the session, the token or the account has ended, or the user is banned. */
  readonly isRevoked: (target: RevocationTarget) => boolean;
  /** The end of the user's ban in milliseconds since the epoch; undefined if not banned. */
  readonly bannedUntil: (userId: string) => number | undefined;
  readonly horizon: () => RevocationHorizon;
  /** Calls the listener after each read that found new rows. */
  readonly onChange: (listener: () => void) => void;
  /** Calls the listener for each account that ended: caches must forget it. */
  readonly onAccountEnd: (listener: (userId: string) => void) => void;
  /** Reads the whole list again, after the database was restored to an earlier state. Ended sessions stay ended. */
  readonly startOver: () => void;
  readonly stop: () => void;
}

export interface RevocationSettings {
  /** How long ended sessions are remembered; longer than any token is valid. */
  readonly memoryMs: number;
  /** How often the list is read without requests. */
  readonly pollMs: number;
}

interface Row {
  readonly id: string;
  readonly fresh: boolean;
  readonly kind: 'session' | 'user' | 'tokens' | 'ban' | 'unban';
  readonly userId: string;
  readonly sessionId: string | null;
  /** Epoch milliseconds. */
  readonly until: number | null;
  readonly at: number;
}

interface Seen {
  readonly xmin: string;
  /** By Postgres' clock. */
  readonly nowMs: number;
  readonly rows: readonly Row[] | null;
}

export async function startRevocations({
  sql,
  look,
  logger,
  settings,
}: {
  sql: Sql;
  look: FreshnessBatch;
  logger: Logger;
  settings: RevocationSettings;
}): Promise<Revocations> {
  /** Keys of ended sessions and accounts → when they may be forgotten. */
  const ended = new Map<string, number>();
  /** By user: host applications' tokens issued until `until` have ended, and when that may be forgotten. */
  const tokensEnded = new Map<string, { until: number; forgetAt: number }>();
  /** By user: the newest row about a ban, and the end of that ban. */
  const bans = new Map<string, { rowId: bigint; until: number }>();
  const listeners = new Set<() => void>();
  const accountListeners = new Set<(userId: string) => void>();
  let horizon: RevocationHorizon = { xmin: '0', knownIds: [] };
  /** A read that began before this belongs to the old database. Its bans stay until the list was read again. */
  let startedOverMs = Number.NEGATIVE_INFINITY;
  let isStartingOver = false;
  /** Postgres' clock minus `performance.now()`: bans end by Postgres' clock, not by this machine's. */
  let clockOffsetMs = 0;

  const column = () => sql`(
    select json_build_object('xmin', pg_snapshot_xmin(pg_current_snapshot())::text,
      'nowMs', (extract(epoch from clock_timestamp()) * 1000)::bigint, 'rows', (
        select json_agg(json_build_object('id', id::text, 'fresh', xid >= pg_snapshot_xmin(pg_current_snapshot()), 'kind', kind,
          'userId', user_id, 'sessionId', session_id, 'until', (extract(epoch from until) * 1000)::bigint,
          'at', (extract(epoch from at) * 1000)::bigint) order by id)
        from revocations where xid >= ${horizon.xmin}::xid8
          and (at > now() - ${settings.memoryMs} * interval '1 millisecond' or kind in ('ban', 'unban')))))`;

  function takeSeen({ xmin, nowMs, rows: found }: Seen, askedMs: number): void {
    if (askedMs < startedOverMs) return;
    if (isStartingOver) bans.clear();
    isStartingOver = false;
    clockOffsetMs = nowMs - askedMs;
    const rows = found ?? [];
    // An older read that arrived late has nothing to add.
    if (BigInt(xmin) < BigInt(horizon.xmin)) return;
    const before = new Set(horizon.knownIds);
    const news = rows.filter((row) => !before.has(row.id));
    horizon = { xmin, knownIds: rows.filter((row) => row.fresh).map((row) => row.id) };
    for (const row of news) take(row);
    for (const { kind, userId } of news) if (kind === 'user') for (const tell of accountListeners) tell(userId);
    if (news.length > 0) for (const listener of listeners) listener();
  }

  function take({ id, kind, userId, sessionId, until, at }: Row): void {
    const forgetAt = performance.now() + settings.memoryMs;
    if (kind === 'session' && sessionId) ended.set(`session ${sessionId}`, forgetAt);
    else if (kind === 'user') ended.set(`user ${userId}`, forgetAt);
    else if (kind === 'tokens')
      tokensEnded.set(userId, { until: Math.max(until ?? at, tokensEnded.get(userId)?.until ?? 0), forgetAt });
    else if ((bans.get(userId)?.rowId ?? -1n) < BigInt(id)) {
      bans.set(userId, { rowId: BigInt(id), until: kind === 'ban' ? (until ?? Number.POSITIVE_INFINITY) : 0 });
    }
  }

  const ask = look.add<undefined, void>({
    column,
    take: (seen, askedMs) => {
      takeSeen(seen as Seen, askedMs);
      return () => undefined;
    },
  });
  const sync = () => ask(undefined);

  function forget(): void {
    const now = performance.now();
    for (const [key, at] of ended) if (at < now) ended.delete(key);
    for (const [userId, { forgetAt }] of tokensEnded) if (forgetAt < now) tokensEnded.delete(userId);
  }

  function bannedUntil(userId: string): number | undefined {
    const until = bans.get(userId)?.until ?? 0;
    return until > performance.now() + clockOffsetMs ? until : undefined;
  }

  await sync();
  const timer = setInterval(() => {
    forget();
    sync().catch((error: unknown) => logger.debug({ error }, 'revocations could not be read'));
  }, settings.pollMs);

  return {
    sync,
    isRevoked: ({ userId, sessionId, issuedAt }) =>
      (issuedAt !== undefined && issuedAt <= (tokensEnded.get(userId)?.until ?? -1)) ||
      (ended.size > 0 &&
        (ended.has(`user ${userId}`) || (sessionId !== undefined && ended.has(`session ${sessionId}`)))) ||
      (bans.size > 0 && bannedUntil(userId) !== undefined),
    bannedUntil,
    horizon: () => horizon,
    onChange: (listener) => {
      listeners.add(listener);
    },
    onAccountEnd: (listener) => {
      accountListeners.add(listener);
    },
    startOver: () => {
      horizon = { xmin: '0', knownIds: [] };
      startedOverMs = performance.now();
      isStartingOver = true;
    },
    stop: () => clearInterval(timer),
  };
}

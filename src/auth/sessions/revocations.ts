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
import {
  createRevocationList,
  type RevocationHorizon,
  type RevocationRead,
  type RevocationTarget,
} from './revocation-list.ts';

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
  const list = createRevocationList(settings.memoryMs);
  const listeners = new Set<() => void>();
  const accountListeners = new Set<(userId: string) => void>();

  const column = () => sql`(
    select json_build_object('xmin', pg_snapshot_xmin(pg_current_snapshot())::text,
      'nowMs', (extract(epoch from clock_timestamp()) * 1000)::bigint, 'rows', (
        select json_agg(json_build_object('id', id::text, 'fresh', xid >= pg_snapshot_xmin(pg_current_snapshot()), 'kind', kind,
          'userId', user_id, 'sessionId', session_id, 'until', (extract(epoch from until) * 1000)::bigint,
          'at', (extract(epoch from at) * 1000)::bigint) order by id)
        from revocations where xid >= ${list.horizon().xmin}::xid8
          and (at > now() - ${settings.memoryMs} * interval '1 millisecond' or kind in ('ban', 'unban')))))`;

  function take(read: RevocationRead, askedMs: number): void {
    const news = list.take(read, askedMs);
    for (const { kind, userId } of news) if (kind === 'user') for (const listener of accountListeners) listener(userId);
    if (news.length > 0) for (const listener of listeners) listener();
  }

  const ask = look.add<undefined, void>({
    column,
    take: (seen, askedMs) => {
      take(seen as RevocationRead, askedMs);
      return () => undefined;
    },
  });
  const sync = () => ask(undefined);

  await sync();
  const timer = setInterval(() => {
    list.forgetOld();
    sync().catch((error: unknown) => logger.debug({ error }, 'revocations could not be read'));
  }, settings.pollMs);

  return {
    sync,
    isRevoked: list.isRevoked,
    bannedUntil: list.bannedUntil,
    horizon: list.horizon,
    onChange: (listener) => {
      listeners.add(listener);
    },
    onAccountEnd: (listener) => {
      accountListeners.add(listener);
    },
    startOver: list.startOver,
    stop: () => clearInterval(timer),
  };
}

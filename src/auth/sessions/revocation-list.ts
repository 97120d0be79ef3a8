/** The revocations that an instance knows, in memory. It is filled from reads of the table (revocations.ts). */

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

export interface RevocationRow {
  readonly id: string;
  /** Whether a transaction that was unfinished at the read may have added it, so later reads return it again. */
  readonly fresh: boolean;
  readonly kind: 'session' | 'user' | 'tokens' | 'ban' | 'unban';
  readonly userId: string;
  readonly sessionId: string | null;
  /** Epoch milliseconds. */
  readonly until: number | null;
  readonly at: number;
}

/** One read of the table. */
export interface RevocationRead {
  readonly xmin: string;
  /** By Postgres' clock. */
  readonly nowMs: number;
  readonly rows: readonly RevocationRow[] | null;
}

export interface RevocationList {
  /**
   * Takes over one read.
   * @param askedMs when the read began, by `performance.now()`
   * @returns the rows that were unknown
   */
  readonly take: (read: RevocationRead, askedMs: number) => readonly RevocationRow[];
  /** The next read continues from here. */
  readonly horizon: () => RevocationHorizon;
  readonly isRevoked: (target: RevocationTarget) => boolean;
  /** The end of the user's ban in milliseconds since the epoch; undefined if not banned. */
  readonly bannedUntil: (userId: string) => number | undefined;
  /** Forgets entries older than `memoryMs`. */
  readonly forgetOld: () => void;
  /** Continues with a database that was restored to an earlier state. What has ended stays ended. */
  readonly startOver: () => void;
}

/** @param memoryMs how long ended sessions are remembered; longer than any token is valid */
export function createRevocationList(memoryMs: number): RevocationList {
  /** Keys of ended sessions and accounts → when they may be forgotten. */
  const ended = new Map<string, number>();
  /** By user: host applications' tokens issued until `until` have ended, and when that may be forgotten. */
  const tokensEnded = new Map<string, { until: number; forgetAt: number }>();
  /** By user: the newest row about a ban, and the end of that ban. */
  const bans = new Map<string, { rowId: bigint; until: number }>();
  let horizon: RevocationHorizon = { xmin: '0', knownIds: [] };
  /** A read that began before this belongs to the old database. Its bans stay until the list was read again. */
  let startedOverMs = Number.NEGATIVE_INFINITY;
  let isStartingOver = false;
  /** Postgres' clock minus `performance.now()`: bans end by Postgres' clock, not by this machine's. */
  let clockOffsetMs = 0;

  function take({ xmin, nowMs, rows: found }: RevocationRead, askedMs: number): readonly RevocationRow[] {
    if (askedMs < startedOverMs) return [];
    if (isStartingOver) bans.clear();
    isStartingOver = false;
    clockOffsetMs = nowMs - askedMs;
    const rows = found ?? [];
    // An older read that arrived late has nothing to add.
    if (BigInt(xmin) < BigInt(horizon.xmin)) return [];
    const known = new Set(horizon.knownIds);
    const news = rows.filter((row) => !known.has(row.id));
    horizon = { xmin, knownIds: rows.filter((row) => row.fresh).map((row) => row.id) };
    for (const row of news) add(row);
    return news;
  }

  function add({ id, kind, userId, sessionId, until, at }: RevocationRow): void {
    const forgetAt = performance.now() + memoryMs;
    if (kind === 'session' && sessionId) ended.set(`session ${sessionId}`, forgetAt);
    else if (kind === 'user') ended.set(`user ${userId}`, forgetAt);
    else if (kind === 'tokens')
      tokensEnded.set(userId, { until: Math.max(until ?? at, tokensEnded.get(userId)?.until ?? 0), forgetAt });
    else if ((bans.get(userId)?.rowId ?? -1n) < BigInt(id))
      bans.set(userId, { rowId: BigInt(id), until: kind === 'ban' ? (until ?? Number.POSITIVE_INFINITY) : 0 });
  }

  function isRevoked({ userId, sessionId, issuedAt }: RevocationTarget): boolean {
    return (
      (issuedAt !== undefined && issuedAt <= (tokensEnded.get(userId)?.until ?? -1)) ||
      (ended.size > 0 &&
        (ended.has(`user ${userId}`) || (sessionId !== undefined && ended.has(`session ${sessionId}`)))) ||
      (bans.size > 0 && bannedUntil(userId) !== undefined)
    );
  }

  function bannedUntil(userId: string): number | undefined {
    const until = bans.get(userId)?.until ?? 0;
    return until > performance.now() + clockOffsetMs ? until : undefined;
  }

  function forgetOld(): void {
    const now = performance.now();
    for (const [key, at] of ended) if (at < now) ended.delete(key);
    for (const [userId, { forgetAt }] of tokensEnded) if (forgetAt < now) tokensEnded.delete(userId);
  }

  function startOver(): void {
    horizon = { xmin: '0', knownIds: [] };
    startedOverMs = performance.now();
    isStartingOver = true;
  }

  return { take, horizon: () => horizon, isRevoked, bannedUntil, forgetOld, startOver };
}

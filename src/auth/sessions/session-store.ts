/** Sessions in Postgres. A session is one login on one device. */
import { and, desc, eq, gt, inArray, isNull, ne, sql } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { Database, Transaction } from '../../database/connect.ts';
import { refreshTokens, revocations, sessions } from '../../database/tables/session-tables.ts';
import { users } from '../../database/tables/user-tables.ts';
import { Failure } from '../../errors.ts';
import { lockAccount } from '../../user/account/account-lock.ts';
import {
  issueRefreshToken,
  type RefreshTokenSettings,
  type RotatedSession,
  replaceRefreshToken,
  rotateRefreshToken,
  sessionExpiry,
} from './refresh-tokens.ts';

export interface SessionSettings extends RefreshTokenSettings {
  /** Sessions of one account; opening one more ends the one unused for the longest. */
  readonly sessionsMax: number;
}

/** The client that opens a session. */
export interface Device {
  readonly userAgent: string | undefined;
  readonly address: string | undefined;
  /** The value of the device cookie, by which accounts recognise a trusted device. */
  readonly key: string | undefined;
  /** Another server, which opens a session for a user with its API key. */
  readonly isServer?: boolean;
}

export interface SessionView {
  readonly id: string;
  readonly userAgent: string | null;
  readonly address: string | null;
  readonly createdAt: string;
  readonly lastUsedAt: string;
}

export interface OpenedSession {
  readonly sessionId: string;
  readonly refreshToken: string;
}

export interface SessionStore {
  /** @throws Failure `unauthenticated` if the account was erased */
  readonly open: (tx: Transaction, userId: string, device: Device) => Promise<OpenedSession>;
  /** @throws Failure `unauthenticated` for an unknown, ended or stolen token, `conflict` for a retry within the grace period */
  readonly rotate: (refreshToken: string) => Promise<RotatedSession>;
  readonly list: (userId: string) => Promise<SessionView[]>;
  /** @returns false if the user has no such open session */
  readonly revoke: (tx: Database | Transaction, userId: string, sessionId: string) => Promise<boolean>;
  /**
   * Ends every session of the user except one, and tokens as `endHostTokens` does. It locks the account first, and so does
   * the opening of a session: a concurrent login is either ended here or sees what this transaction changed.
   */
  readonly revokeAll: (tx: Transaction, userId: string, except?: string, tokensUntilMs?: number) => Promise<void>;
  /**
   * Ends the tokens of host applications that name the user and were issued until `untilMs`.
   * @param untilMs milliseconds since the epoch, in whole seconds as in the tokens; default: now
   */
  readonly endHostTokens: (tx: Transaction, userId: string, untilMs?: number) => Promise<void>;
  /** Replaces the refresh token of an open session; the old one counts as rotated. @throws Failure `unauthenticated` */
  readonly reissue: (tx: Transaction, sessionId: string) => Promise<OpenedSession>;
  /** Records that the user has just proved who they are. */
  readonly markAuthenticated: (sessionId: string) => Promise<void>;
  /** The expiry of the session's newest access token by Postgres' clock; undefined if the session has ended. */
  readonly accessUntilMs: (sessionId: string, accessLifetimeMs: number) => Promise<number | undefined>;
  /** Whether the user proved who they are within the last `withinMs`. */
  readonly isFresh: (sessionId: string, withinMs: number) => Promise<boolean>;
  /** Deletes refresh tokens and sessions that ended longer ago than a refresh token lives. */
  readonly sweep: () => Promise<void>;
}

/** Rows deleted by one sweep. */
const sweepMax = 5000;
const isOpen = isNull(sessions.revokedAt);

export function createSessionStore({ db, settings }: { db: Database; settings: SessionSettings }): SessionStore {
  async function open(tx: Transaction, userId: string, { userAgent, address, isServer = false }: Device) {
    await lockAccount(tx, userId);
    const sessionId = uuidv7();
    await tx.insert(sessions).values({
      id: sessionId,
      userId,
      userAgent: userAgent?.slice(0, 400) ?? null,
      address: address ?? null,
      byServer: isServer,
      expiresAt: sessionExpiry(settings),
    });
    const refreshToken = await issueRefreshToken(tx, sessionId);
    const surplus = tx
      .select({ id: sessions.id })
      .from(sessions)
      .where(and(eq(sessions.userId, userId), isOpen, ne(sessions.id, sessionId)))
      .orderBy(desc(sessions.lastUsedAt))
      .offset(settings.sessionsMax - 1);
    await revokeWhere(tx, inArray(sessions.id, surplus));
    return { sessionId, refreshToken };
  }

  async function reissue(tx: Transaction, sessionId: string): Promise<OpenedSession> {
    const [session] = await tx
      .update(sessions)
      .set({ lastUsedAt: sql`now()`, authenticatedAt: sql`now()`, expiresAt: sessionExpiry(settings) })
      .where(and(eq(sessions.id, sessionId), isOpen))
      .returning({ id: sessions.id });
    if (!session) throw new Failure('unauthenticated', 'this session has ended');
    return { sessionId, refreshToken: await replaceRefreshToken(tx, sessionId) };
  }

  async function rotate(refreshToken: string): Promise<RotatedSession> {
    const rotation = await db.transaction(async (tx) => {
      const rotation = await rotateRefreshToken(tx, refreshToken, settings);
      if (rotation.outcome === 'stolen') await revokeWhere(tx, eq(sessions.id, rotation.sessionId));
      return rotation;
    });
    if (rotation.outcome === 'rotated') return rotation.session;
    if (rotation.outcome === 'repeated')
      throw new Failure('conflict', 'this refresh token was just exchanged; use its successor');
    throw new Failure('unauthenticated', 'the refresh token is not valid');
  }

  async function revoke(tx: Database | Transaction, userId: string, sessionId: string): Promise<boolean> {
    return (await revokeWhere(tx, and(eq(sessions.id, sessionId), eq(sessions.userId, userId)))) > 0;
  }

  const revokeAll: SessionStore['revokeAll'] = async (tx, userId, except, tokensUntilMs) => {
    await endHostTokens(tx, userId, tokensUntilMs);
    const others = except === undefined ? undefined : ne(sessions.id, except);
    await revokeWhere(tx, and(eq(sessions.userId, userId), others));
  };

  async function list(userId: string): Promise<SessionView[]> {
    const rows = await db
      .select()
      .from(sessions)
      .where(and(eq(sessions.userId, userId), isOpen, gt(sessions.expiresAt, sql`now()`)))
      .orderBy(desc(sessions.lastUsedAt))
      .limit(100);
    return rows.map(toView);
  }

  async function accessUntilMs(sessionId: string, accessLifetimeMs: number): Promise<number | undefined> {
    const [row] = await db
      .select({ issuedMs: sql<number>`(extract(epoch from max(${refreshTokens.createdAt})) * 1000)::float8` })
      .from(refreshTokens)
      .innerJoin(sessions, eq(sessions.id, refreshTokens.sessionId))
      .where(and(eq(refreshTokens.sessionId, sessionId), isOpen));
    return row && row.issuedMs !== null ? row.issuedMs + accessLifetimeMs : undefined;
  }

  async function markAuthenticated(sessionId: string): Promise<void> {
    await db.update(sessions).set({ authenticatedAt: sql`now()` }).where(eq(sessions.id, sessionId));
  }

  async function isFresh(sessionId: string, withinMs: number): Promise<boolean> {
    const [row] = await db
      .select({ fresh: sql<boolean>`${sessions.authenticatedAt} > now() - ${withinMs} * interval '1 millisecond'` })
      .from(sessions)
      .where(eq(sessions.id, sessionId));
    return row?.fresh ?? false;
  }

  async function sweep(): Promise<void> {
    const old = sql`now() - ${settings.refreshLifetimeMs} * interval '1 millisecond'`;
    await db.execute(sql`delete from refresh_tokens where hash in (
      select hash from refresh_tokens where rotated_at < ${old} limit ${sweepMax})`);
    await db.execute(sql`with gone as (
        delete from sessions where id in (select id from sessions where expires_at < ${old} limit ${sweepMax}) returning id)
      delete from refresh_tokens where session_id in (select id from gone)`);
  }

  return {
    open,
    reissue,
    rotate,
    list,
    revoke,
    revokeAll,
    endHostTokens,
    markAuthenticated,
    accessUntilMs,
    isFresh,
    sweep,
  };
}

/** Ends open sessions and tells every instance through the list of revocations. @returns how many */
async function revokeWhere(tx: Database | Transaction, condition: ReturnType<typeof and>): Promise<number> {
  const ended = await tx
    .update(sessions)
    .set({ revokedAt: sql`now()` })
    .where(and(condition, isOpen))
    .returning({ id: sessions.id, userId: sessions.userId });
  if (ended.length > 0) {
    const rows = ended.map(({ id, userId }) => ({ kind: 'session' as const, userId, sessionId: id }));
    await tx.insert(revocations).values(rows);
  }
  return ended.length;
}

async function endHostTokens(tx: Transaction, userId: string, untilMs?: number): Promise<void> {
  const until = untilMs === undefined ? sql`clock_timestamp()` : sql`${new Date(untilMs).toISOString()}::timestamptz`;
  await tx
    .update(users)
    .set({ tokensEndedAt: sql`greatest(${users.tokensEndedAt}, ${until})` })
    .where(eq(users.id, userId));
  await tx.insert(revocations).values({ kind: 'tokens', userId, until });
}

function toView({ id, userAgent, address, createdAt, lastUsedAt }: typeof sessions.$inferSelect): SessionView {
  return { id, userAgent, address, createdAt: createdAt.toISOString(), lastUsedAt: lastUsedAt.toISOString() };
}

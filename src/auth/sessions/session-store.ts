/**
 * Logins. A session is one login on one device; its refresh tokens are a family with one live member.
 *
 * A refresh token is live → rotated (its successor is live) → known as used. Repeated within the grace after its
 * rotation it does nothing; later its repetition means that somebody stole it, and the family ends.
 */
import { and, desc, eq, gt, inArray, isNull, ne, sql } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { Database, Transaction } from '../../database/connect.ts';
import { refreshTokens, revocations, sessions } from '../../database/tables/session-tables.ts';
import { users } from '../../database/tables/user-tables.ts';
import { Failure } from '../../errors.ts';
import { lockAccount } from '../../user/account/account-lock.ts';
import { hashSecret, makeSecret } from '../credentials/random-secrets.ts';

export interface SessionSettings {
  readonly refreshLifetimeMs: number;
  readonly refreshGraceMs: number;
  /** Logins of one person; beyond it the longest unused one ends. */
  readonly sessionsMax: number;
}

export interface Device {
  readonly userAgent: string | undefined;
  readonly address: string | undefined;
  /** The device's cookie, by which an account knows it again. */
  readonly key: string | undefined;
  /** Another server, which logs somebody in with its API key. */
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

export interface RotatedSession extends OpenedSession {
  readonly userId: string;
  /** Whether another server opened it. */
  readonly byServer: boolean;
}

export interface SessionStore {
  /** @throws Failure `unauthenticated` when the account was erased meanwhile */
  readonly open: (tx: Transaction, userId: string, device: Device) => Promise<OpenedSession>;
  /** @throws Failure `unauthenticated` for an unknown or ended one, `conflict` for a repetition within the grace */
  readonly rotate: (refreshToken: string) => Promise<RotatedSession>;
  readonly list: (userId: string) => Promise<SessionView[]>;
  /** @returns false when the user has no such open session */
  readonly revoke: (tx: Database | Transaction, userId: string, sessionId: string) => Promise<boolean>;
  /**
   * Ends every login of the user but `except`, and tokens as `endHostTokens`. Takes the account's row first: a login that is
   * being opened holds it, so it is there to be ended or sees what came before.
   */
  readonly revokeAll: (tx: Transaction, userId: string, except?: string, tokensUntilMs?: number) => Promise<void>;
  /**
   * Ends the tokens of host applications that name the user and were issued at `untilMs` or before.
   * @param untilMs milliseconds since the epoch, in whole seconds as the tokens have it; absent: now
   */
  readonly endHostTokens: (tx: Transaction, userId: string, untilMs?: number) => Promise<void>;
  /** A new refresh token for a login that goes on; the old one counts as exchanged. @throws Failure `unauthenticated` */
  readonly reissue: (tx: Transaction, sessionId: string) => Promise<OpenedSession>;
  /** The person of this login has just proved again who they are. */
  readonly markAuthenticated: (sessionId: string) => Promise<void>;
  /** Until when the newest access token of a login is good by the database's clock; undefined: the login has ended. */
  readonly accessUntilMs: (sessionId: string, accessLifetimeMs: number) => Promise<number | undefined>;
  /** Whether the person proved who they are within the last `withinMs`. */
  readonly isFresh: (sessionId: string, withinMs: number) => Promise<boolean>;
  /** Deletes what ended long ago: a refresh token that old is as good as unknown. */
  readonly sweep: () => Promise<void>;
}

/** Rows deleted at a time. */
const sweepMax = 5000;

export function createSessionStore({ db, settings }: { db: Database; settings: SessionSettings }): SessionStore {
  const expiry = () => sql`now() + ${settings.refreshLifetimeMs} * interval '1 millisecond'` as unknown as Date;
  const open = isNull(sessions.revokedAt);

  async function revokeWhere(tx: Database | Transaction, condition: ReturnType<typeof and>): Promise<number> {
    const ended = await tx
      .update(sessions)
      .set({ revokedAt: sql`now()` })
      .where(and(condition, open))
      .returning({ id: sessions.id, userId: sessions.userId });
    if (ended.length > 0) {
      await tx
        .insert(revocations)
        .values(ended.map(({ id, userId }) => ({ kind: 'session' as const, userId, sessionId: id })));
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

  type Rotation = { outcome: 'rotated'; session: RotatedSession } | { outcome: 'unknown' | 'repeated' | 'stolen' };

  async function rotateIn(tx: Transaction, hash: Buffer): Promise<Rotation> {
    const [token] = await tx
      .select({
        sessionId: refreshTokens.sessionId,
        rotated: sql<boolean>`${refreshTokens.rotatedAt} is not null`,
        inGrace: sql<boolean>`coalesce(${refreshTokens.rotatedAt} > now() - ${settings.refreshGraceMs} * interval '1 millisecond', false)`,
      })
      .from(refreshTokens)
      .where(eq(refreshTokens.hash, hash))
      .for('update');
    if (!token) return { outcome: 'unknown' };
    if (token.rotated && !token.inGrace) {
      await revokeWhere(tx, eq(sessions.id, token.sessionId));
      return { outcome: 'stolen' };
    }
    const [session] = await tx
      .update(sessions)
      .set({ lastUsedAt: sql`now()`, ...(token.rotated ? {} : { expiresAt: expiry() }) })
      .where(and(eq(sessions.id, token.sessionId), open, gt(sessions.expiresAt, sql`now()`)))
      .returning({ userId: sessions.userId, byServer: sessions.byServer });
    if (!session) return { outcome: 'unknown' };
    if (token.rotated) return { outcome: 'repeated' };
    const refreshToken = makeSecret();
    await tx.update(refreshTokens).set({ rotatedAt: sql`now()` }).where(eq(refreshTokens.hash, hash));
    await tx.insert(refreshTokens).values({ hash: hashSecret(refreshToken), sessionId: token.sessionId });
    return { outcome: 'rotated', session: { sessionId: token.sessionId, refreshToken, ...session } };
  }

  return {
    open: async (tx, userId, { userAgent, address, isServer = false }) => {
      await lockAccount(tx, userId);
      const sessionId = uuidv7();
      const refreshToken = makeSecret();
      await tx.insert(sessions).values({
        id: sessionId,
        userId,
        userAgent: userAgent?.slice(0, 400) ?? null,
        address: address ?? null,
        byServer: isServer,
        expiresAt: expiry(),
      });
      await tx.insert(refreshTokens).values({ hash: hashSecret(refreshToken), sessionId });
      const surplus = tx
        .select({ id: sessions.id })
        .from(sessions)
        .where(and(eq(sessions.userId, userId), open, ne(sessions.id, sessionId)))
        .orderBy(desc(sessions.lastUsedAt))
        .offset(settings.sessionsMax - 1);
      await revokeWhere(tx, inArray(sessions.id, surplus));
      return { sessionId, refreshToken };
    },
    reissue: async (tx, sessionId) => {
      const [session] = await tx
        .update(sessions)
        .set({ lastUsedAt: sql`now()`, authenticatedAt: sql`now()`, expiresAt: expiry() })
        .where(and(eq(sessions.id, sessionId), open))
        .returning({ id: sessions.id });
      if (!session) throw new Failure('unauthenticated', 'this login has ended');
      const refreshToken = makeSecret();
      await tx
        .update(refreshTokens)
        .set({ rotatedAt: sql`now()` })
        .where(and(eq(refreshTokens.sessionId, sessionId), isNull(refreshTokens.rotatedAt)));
      await tx.insert(refreshTokens).values({ hash: hashSecret(refreshToken), sessionId });
      return { sessionId, refreshToken };
    },
    markAuthenticated: async (sessionId) => {
      await db.update(sessions).set({ authenticatedAt: sql`now()` }).where(eq(sessions.id, sessionId));
    },
    accessUntilMs: async (sessionId, accessLifetimeMs) => {
      const [row] = await db
        .select({ issuedMs: sql<number>`(extract(epoch from max(${refreshTokens.createdAt})) * 1000)::float8` })
        .from(refreshTokens)
        .innerJoin(sessions, eq(sessions.id, refreshTokens.sessionId))
        .where(and(eq(refreshTokens.sessionId, sessionId), open));
      return row && row.issuedMs !== null ? row.issuedMs + accessLifetimeMs : undefined;
    },
    rotate: async (refreshToken) => {
      const rotation = await db.transaction((tx) => rotateIn(tx, hashSecret(refreshToken)));
      if (rotation.outcome === 'rotated') return rotation.session;
      if (rotation.outcome === 'repeated')
        throw new Failure('conflict', 'this refresh token was just exchanged; use its successor');
      throw new Failure('unauthenticated', 'the refresh token is not valid');
    },
    list: async (userId) => {
      const rows = await db
        .select()
        .from(sessions)
        .where(and(eq(sessions.userId, userId), open, gt(sessions.expiresAt, sql`now()`)))
        .orderBy(desc(sessions.lastUsedAt))
        .limit(100);
      return rows.map(({ id, userAgent, address, createdAt, lastUsedAt }) => ({
        id,
        userAgent,
        address,
        createdAt: createdAt.toISOString(),
        lastUsedAt: lastUsedAt.toISOString(),
      }));
    },
    revoke: async (tx, userId, sessionId) =>
      (await revokeWhere(tx, and(eq(sessions.id, sessionId), eq(sessions.userId, userId)))) > 0,
    endHostTokens,
    revokeAll: async (tx, userId, except, tokensUntilMs) => {
      await endHostTokens(tx, userId, tokensUntilMs);
      await revokeWhere(
        tx,
        and(eq(sessions.userId, userId), except === undefined ? undefined : ne(sessions.id, except)),
      );
    },
    isFresh: async (sessionId, withinMs) => {
      const [row] = await db
        .select({ fresh: sql<boolean>`${sessions.authenticatedAt} > now() - ${withinMs} * interval '1 millisecond'` })
        .from(sessions)
        .where(eq(sessions.id, sessionId));
      return row?.fresh ?? false;
    },
    sweep: async () => {
      const old = sql`now() - ${settings.refreshLifetimeMs} * interval '1 millisecond'`;
      await db.execute(sql`delete from refresh_tokens where hash in (
        select hash from refresh_tokens where rotated_at < ${old} limit ${sweepMax})`);
      await db.execute(sql`with gone as (
          delete from sessions where id in (select id from sessions where expires_at < ${old} limit ${sweepMax}) returning id)
        delete from refresh_tokens where session_id in (select id from gone)`);
    },
  };
}

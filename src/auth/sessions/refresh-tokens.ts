/**
 * Refresh tokens, which keep a session open. Each session has one live token (RFC 9700 §4.14.2, rotation).
 *
 * A token is live → rotated (its successor is live). A rotated token that comes again within the grace period is a retry
 * and changes nothing. Later it means that a token was stolen: the session ends.
 */
import { and, eq, gt, isNull, sql } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { refreshTokens, sessions } from '../../database/tables/session-tables.ts';
import { hashSecret, makeSecret } from '../credentials/random-secrets.ts';

export interface RefreshTokenSettings {
  readonly refreshLifetimeMs: number;
  readonly refreshGraceMs: number;
}

export interface RotatedSession {
  readonly sessionId: string;
  readonly refreshToken: string;
  readonly userId: string;
  /** Whether another server opened the session with its API key. */
  readonly byServer: boolean;
}

/** `unknown`: no such token, or its session has ended. */
export type Rotation =
  | { readonly outcome: 'rotated'; readonly session: RotatedSession }
  | { readonly outcome: 'unknown' | 'repeated' }
  | { readonly outcome: 'stolen'; readonly sessionId: string };

/** The end of a session that is used now, by Postgres' clock. */
export function sessionExpiry({ refreshLifetimeMs }: Pick<RefreshTokenSettings, 'refreshLifetimeMs'>): Date {
  return sql`now() + ${refreshLifetimeMs} * interval '1 millisecond'` as unknown as Date;
}

/** @returns a new live token of the session */
export async function issueRefreshToken(tx: Transaction, sessionId: string): Promise<string> {
  const refreshToken = makeSecret();
  await tx.insert(refreshTokens).values({ hash: hashSecret(refreshToken), sessionId });
  return refreshToken;
}

/** Marks the session's live token as rotated. @returns its successor */
export async function replaceRefreshToken(tx: Transaction, sessionId: string): Promise<string> {
  await tx
    .update(refreshTokens)
    .set({ rotatedAt: sql`now()` })
    .where(and(eq(refreshTokens.sessionId, sessionId), isNull(refreshTokens.rotatedAt)));
  return issueRefreshToken(tx, sessionId);
}

/** Exchanges a token for its successor. The caller ends the session of a stolen one. */
export async function rotateRefreshToken(
  tx: Transaction,
  token: string,
  settings: RefreshTokenSettings,
): Promise<Rotation> {
  const hash = hashSecret(token);
  const known = await lockToken(tx, hash, settings);
  if (!known) return { outcome: 'unknown' };
  const { sessionId, rotated, inGrace } = known;
  if (rotated && !inGrace) return { outcome: 'stolen', sessionId };
  const [session] = await tx
    .update(sessions)
    .set({ lastUsedAt: sql`now()`, ...(rotated ? {} : { expiresAt: sessionExpiry(settings) }) })
    .where(and(eq(sessions.id, sessionId), isNull(sessions.revokedAt), gt(sessions.expiresAt, sql`now()`)))
    .returning({ userId: sessions.userId, byServer: sessions.byServer });
  if (!session) return { outcome: 'unknown' };
  if (rotated) return { outcome: 'repeated' };
  await tx.update(refreshTokens).set({ rotatedAt: sql`now()` }).where(eq(refreshTokens.hash, hash));
  return {
    outcome: 'rotated',
    session: { sessionId, refreshToken: await issueRefreshToken(tx, sessionId), ...session },
  };
}

/** Two requests with the same token take turns. */
async function lockToken(tx: Transaction, hash: Buffer, { refreshGraceMs }: RefreshTokenSettings) {
  const [token] = await tx
    .select({
      sessionId: refreshTokens.sessionId,
      rotated: sql<boolean>`${refreshTokens.rotatedAt} is not null`,
      inGrace: sql<boolean>`coalesce(${refreshTokens.rotatedAt} > now() - ${refreshGraceMs} * interval '1 millisecond', false)`,
    })
    .from(refreshTokens)
    .where(eq(refreshTokens.hash, hash))
    .for('update');
  return token;
}

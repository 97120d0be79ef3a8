/**
 * The authenticator app as a second factor. Setup is begun (the secret is shown) → confirmed (a first code proves that an
 * app has it). Only a confirmed factor is asked for at a login.
 */
import { randomBytes } from 'node:crypto';
import { and, eq, isNotNull, isNull, sql } from 'drizzle-orm';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { Database, Transaction } from '../../database/connect.ts';
import { mfaFactors } from '../../database/tables/credential-tables.ts';
import { Failure, invalid } from '../../errors.ts';
import type { SecretCipher } from '../credentials/secret-encryption.ts';
import { type LockedSession, lockSession } from '../sessions/session-lock.ts';
import type { MfaFactors } from './mfa-factors.ts';
import { findStep, toBase32, totpUri } from './totp.ts';

export interface TotpFactor {
  /**
   * Shows a new secret; one that was begun before is forgotten.
   * @param account the username that the app shows
   * @throws Failure `conflict` if an app is confirmed already, `unauthenticated` if the session has ended
   */
  readonly begin: (session: LockedSession, account: string) => Promise<{ secret: string; uri: string }>;
  /** @returns recovery codes if this is the first factor. @throws Failure `invalid` for a wrong code, `conflict` if none was begun */
  readonly confirm: (session: LockedSession, code: string) => Promise<readonly string[] | undefined>;
  /**
   * Uses up a code, which works once (RFC 6238 §5.2).
   * @returns false for a wrong or used one
   * @throws Failure `unavailable` if the secret cannot be decrypted
   */
  readonly use: (userId: string, code: string) => Promise<boolean>;
}

export function createTotpFactor({
  db,
  secretCipher,
  factors,
  issuer,
  logger,
}: {
  db: Database;
  secretCipher: SecretCipher;
  factors: Pick<MfaFactors, 'addedFactor'>;
  /** The name of this server in authenticator apps. */
  issuer: string;
  logger: Logger;
}): TotpFactor {
  async function begin({ userId, sessionId }: LockedSession, account: string) {
    const secret = randomBytes(20);
    await db.transaction(async (tx) => {
      await lockSession(tx, { userId, sessionId });
      const [confirmed] = await tx.select({ id: mfaFactors.id }).from(mfaFactors).where(totpOf(userId, 'confirmed'));
      if (confirmed) throw new Failure('conflict', 'an authenticator app is set up already');
      await tx.delete(mfaFactors).where(totpOf(userId, 'begun'));
      await tx.insert(mfaFactors).values({
        id: uuidv7(),
        userId,
        kind: 'totp',
        name: 'Authenticator app',
        data: { secret: secretCipher.seal(secret, sealPurpose(userId)) },
      });
    });
    return { secret: toBase32(secret), uri: totpUri(secret, { issuer, account }) };
  }

  async function confirm(session: LockedSession, code: string): Promise<readonly string[] | undefined> {
    return db.transaction(async (tx) => {
      const { id: userId } = await lockSession(tx, session);
      const totp = await find(tx, userId, 'begun');
      if (!totp) throw new Failure('conflict', 'the setup of an authenticator app was not begun');
      const step = findStep(totp.secret, code, totp);
      if (step === undefined) throw invalid('/code', 'is not the current code; is the clock of the device right?');
      await takeStep(tx, totp.id, step);
      return factors.addedFactor(tx, userId);
    });
  }

  async function use(userId: string, code: string): Promise<boolean> {
    const totp = await find(db, userId, 'confirmed');
    const step = totp && findStep(totp.secret, code, totp);
    return step !== undefined && takeStep(db, totp!.id, step);
  }

  /** `seconds` is Postgres' clock: the clocks of instances may be wrong. */
  async function find(tx: Database | Transaction, userId: string, state: TotpState) {
    const [row] = await tx
      .select({
        id: mfaFactors.id,
        data: mfaFactors.data,
        seconds: sql<number>`extract(epoch from clock_timestamp())::float8`,
      })
      .from(mfaFactors)
      .where(totpOf(userId, state));
    if (!row) return undefined;
    const { secret, lastStep = 0 } = row.data as { secret: string; lastStep?: number };
    return { id: row.id, secret: decrypt(secret, userId), afterStep: lastStep, seconds: row.seconds };
  }

  function decrypt(sealed: string, userId: string): Buffer {
    try {
      return secretCipher.open(sealed, sealPurpose(userId));
    } catch (cause) {
      logger.error({ err: cause, userId }, 'a TOTP secret cannot be decrypted: was auth.sealingKey changed?');
      throw new Failure('unavailable', 'codes cannot be checked now; use a recovery code or a passkey', { cause });
    }
  }

  /** Marks a step as used. If two requests bring the same code, only one gets true. */
  async function takeStep(tx: Database | Transaction, id: string, step: number): Promise<boolean> {
    const taken = await tx
      .update(mfaFactors)
      .set({
        data: sql`${mfaFactors.data} || jsonb_build_object('lastStep', ${step}::bigint)`,
        lastUsedAt: sql`now()`,
        confirmedAt: sql`coalesce(${mfaFactors.confirmedAt}, now())`,
      })
      .where(and(eq(mfaFactors.id, id), sql`coalesce((${mfaFactors.data}->>'lastStep')::bigint, 0) < ${step}`))
      .returning({ id: mfaFactors.id });
    return taken.length > 0;
  }

  return { begin, confirm, use };
}

type TotpState = 'begun' | 'confirmed';

function totpOf(userId: string, state: TotpState) {
  return and(
    eq(mfaFactors.userId, userId),
    eq(mfaFactors.kind, 'totp'),
    state === 'confirmed' ? isNotNull(mfaFactors.confirmedAt) : isNull(mfaFactors.confirmedAt),
  );
}

const sealPurpose = (userId: string) => `totp ${userId}`;

/**
 * What an account asks for beside its password: one-time passwords by time, passkeys, and recovery codes for the day
 * when both are lost. Passkeys are made and proved in passkeys.ts; here they are counted, shown and taken away.
 *
 * A one-time password is begun (its secret was shown) → confirmed (a code proved that it was kept). Recovery codes come
 * with the first factor and go with the last.
 */
import { randomBytes } from 'node:crypto';
import { and, asc, eq, isNotNull, isNull, ne, sql } from 'drizzle-orm';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { Database, Transaction } from '../../database/connect.ts';
import { mfaFactors } from '../../database/tables/credential-tables.ts';
import { Failure, invalid } from '../../errors.ts';
import { hashSecret } from '../credentials/random-secrets.ts';
import type { SecretCipher } from '../credentials/secret-encryption.ts';
import { type LockedSession, lockSession } from '../sessions/session-lock.ts';
import { findStep, toBase32, totpUri } from './totp.ts';

export type FactorMethod = 'totp' | 'passkey' | 'recovery_code';

export interface FactorView {
  readonly id: string;
  readonly kind: 'totp' | 'passkey';
  readonly name: string;
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
}

export interface FactorOverview {
  readonly factors: readonly FactorView[];
  readonly recoveryCodesLeft: number;
}

export interface MfaFactors {
  /** Ways to take the second step of a login; none: there is no second step. */
  readonly methodsOf: (userId: string) => Promise<readonly FactorMethod[]>;
  readonly overview: (userId: string) => Promise<FactorOverview>;
  /** Shows a new secret; an unconfirmed one before it is forgotten. @throws Failure `conflict` when one is confirmed */
  readonly beginTotp: (login: LockedSession, account: string) => Promise<{ secret: string; uri: string }>;
  /** @returns recovery codes when this is the first factor. @throws Failure `invalid` for a wrong code */
  readonly confirmTotp: (login: LockedSession, code: string) => Promise<readonly string[] | undefined>;
  /** Uses up a one-time password or a recovery code. @returns which it was, undefined for a wrong or used one */
  readonly useCode: (userId: string, code: string) => Promise<'totp' | 'recovery_code' | undefined>;
  /** In the caller's transaction, after a factor was added. @returns recovery codes when there were none */
  readonly addedFactor: (tx: Transaction, userId: string) => Promise<readonly string[] | undefined>;
  /** @throws Failure `not_found` */
  readonly rename: (userId: string, factorId: string, name: string) => Promise<FactorView>;
  /** @throws Failure `not_found` */
  readonly remove: (tx: Transaction, userId: string, factorId: string) => Promise<FactorView>;
  /** New recovery codes in place of the old ones. @throws Failure `conflict` without a factor */
  readonly renewRecoveryCodes: (login: LockedSession) => Promise<readonly string[]>;
}

type FactorRow = typeof mfaFactors.$inferSelect;

const codesCount = 10;
/** Passkeys of one account. */
export const passkeysMax = 20;

export function createMfaFactors({
  db,
  secretCipher,
  issuer,
  onAdded,
  logger,
}: {
  db: Database;
  secretCipher: SecretCipher;
  /** What authenticator apps call this server. */
  issuer: string;
  /** In the transaction that adds a factor. */
  onAdded: (tx: Transaction, userId: string) => Promise<void>;
  logger: Logger;
}): MfaFactors {
  const real = ne(mfaFactors.kind, 'recovery');
  const confirmed = isNotNull(mfaFactors.confirmedAt);
  const of = (userId: string) => eq(mfaFactors.userId, userId);
  const sealPurpose = (userId: string) => `totp ${userId}`;

  async function makeRecoveryCodes(tx: Transaction, userId: string): Promise<string[]> {
    await tx.delete(mfaFactors).where(and(of(userId), eq(mfaFactors.kind, 'recovery')));
    // 140 random bits each, so that a plain hash keeps them.
    const codes = Array.from({ length: codesCount }, () => toBase32(randomBytes(18)).slice(0, 28));
    await tx.insert(mfaFactors).values(
      codes.map((code) => ({
        id: recoveryId(code),
        userId,
        kind: 'recovery' as const,
        data: {},
        confirmedAt: new Date(),
      })),
    );
    return codes.map((code) => code.match(/.{4}/g)!.join('-'));
  }

  async function addedFactor(tx: Transaction, userId: string): Promise<string[] | undefined> {
    await onAdded(tx, userId);
    const [code] = await tx
      .select({ id: mfaFactors.id })
      .from(mfaFactors)
      .where(and(of(userId), eq(mfaFactors.kind, 'recovery')))
      .limit(1);
    return code ? undefined : makeRecoveryCodes(tx, userId);
  }

  /** The person's one-time password, and what time it is for the database: instances' clocks may be wrong. */
  async function findTotp(tx: Database | Transaction, userId: string, isConfirmed: boolean) {
    const [row] = await tx
      .select({
        id: mfaFactors.id,
        data: mfaFactors.data,
        seconds: sql<number>`extract(epoch from clock_timestamp())::float8`,
      })
      .from(mfaFactors)
      .where(and(of(userId), eq(mfaFactors.kind, 'totp'), isConfirmed ? confirmed : isNull(mfaFactors.confirmedAt)));
    if (!row) return undefined;
    const { secret, lastStep = 0 } = row.data as { secret: string; lastStep?: number };
    return { id: row.id, secret: openSecret(secret, userId), afterStep: lastStep, seconds: row.seconds };
  }

  /** @throws Failure `unavailable` when the key that sealed it is gone: the other factors and the recovery codes still work */
  function openSecret(sealed: string, userId: string): Buffer {
    try {
      return secretCipher.open(sealed, sealPurpose(userId));
    } catch (cause) {
      logger.error(
        { err: cause, userId },
        'the secret of a one-time password cannot be opened: was auth.sealingKey changed?',
      );
      throw new Failure('unavailable', 'codes cannot be checked now; use a recovery code or a passkey', { cause });
    }
  }

  /** Takes a step once: of two who come with the same code one gets it. */
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

  return {
    methodsOf: async (userId) => {
      const rows = await db
        .selectDistinct({ kind: mfaFactors.kind })
        .from(mfaFactors)
        .where(and(of(userId), confirmed));
      const kinds = new Set(rows.map(({ kind }) => kind));
      if (!kinds.has('totp') && !kinds.has('passkey')) return [];
      const methods: readonly (readonly [FactorRow['kind'], FactorMethod])[] = [
        ['totp', 'totp'],
        ['passkey', 'passkey'],
        ['recovery', 'recovery_code'],
      ];
      return methods.filter(([kind]) => kinds.has(kind)).map(([, method]) => method);
    },
    overview: async (userId) => {
      const rows = await db
        .select()
        .from(mfaFactors)
        .where(and(of(userId), confirmed))
        .orderBy(asc(mfaFactors.createdAt));
      return {
        factors: rows.filter(({ kind }) => kind !== 'recovery').map(toView),
        recoveryCodesLeft: rows.filter(({ kind }) => kind === 'recovery').length,
      };
    },
    beginTotp: async (login, account) => {
      const { userId } = login;
      const secret = randomBytes(20);
      await db.transaction(async (tx) => {
        await lockSession(tx, login);
        const [known] = await tx
          .select({ id: mfaFactors.id })
          .from(mfaFactors)
          .where(and(of(userId), eq(mfaFactors.kind, 'totp'), confirmed));
        if (known) throw new Failure('conflict', 'one-time passwords are on already');
        await tx.delete(mfaFactors).where(and(of(userId), eq(mfaFactors.kind, 'totp')));
        await tx.insert(mfaFactors).values({
          id: uuidv7(),
          userId,
          kind: 'totp',
          name: 'Authenticator app',
          data: { secret: secretCipher.seal(secret, sealPurpose(userId)) },
        });
      });
      return { secret: toBase32(secret), uri: totpUri(secret, { issuer, account }) };
    },
    confirmTotp: async (login, code) =>
      db.transaction(async (tx) => {
        const { id: userId } = await lockSession(tx, login);
        const totp = await findTotp(tx, userId, false);
        if (!totp) throw new Failure('conflict', 'no one-time password was begun');
        const step = findStep(totp.secret, code, totp);
        if (step === undefined) throw invalid('/code', 'is not the code of now; is the clock of the device right?');
        await takeStep(tx, totp.id, step);
        return addedFactor(tx, userId);
      }),
    useCode: async (userId, code) => {
      const plain = code.replace(/[\s-]/g, '').toUpperCase();
      if (plain.length > 6) {
        const used = await db
          .delete(mfaFactors)
          .where(and(eq(mfaFactors.id, recoveryId(plain)), of(userId), eq(mfaFactors.kind, 'recovery')))
          .returning({ id: mfaFactors.id });
        return used.length > 0 ? 'recovery_code' : undefined;
      }
      const totp = await findTotp(db, userId, true);
      const step = totp && findStep(totp.secret, plain, totp);
      return step !== undefined && (await takeStep(db, totp!.id, step)) ? 'totp' : undefined;
    },
    addedFactor,
    rename: async (userId, factorId, name) => {
      const [row] = await db
        .update(mfaFactors)
        .set({ name })
        .where(and(eq(mfaFactors.id, factorId), of(userId), real, confirmed))
        .returning();
      if (!row) throw new Failure('not_found', 'no such second factor');
      return toView(row);
    },
    remove: async (tx, userId, factorId) => {
      const [removed] = await tx
        .delete(mfaFactors)
        .where(and(eq(mfaFactors.id, factorId), of(userId), real, confirmed))
        .returning();
      if (!removed) throw new Failure('not_found', 'no such second factor');
      const [other] = await tx
        .select({ id: mfaFactors.id })
        .from(mfaFactors)
        .where(and(of(userId), real, confirmed))
        .limit(1);
      if (!other) await tx.delete(mfaFactors).where(of(userId));
      return toView(removed);
    },
    renewRecoveryCodes: async (login) =>
      db.transaction(async (tx) => {
        const { id: userId } = await lockSession(tx, login);
        const [factor] = await tx
          .select({ id: mfaFactors.id })
          .from(mfaFactors)
          .where(and(of(userId), real, confirmed))
          .limit(1);
        if (!factor) throw new Failure('conflict', 'recovery codes come with a second factor');
        return makeRecoveryCodes(tx, userId);
      }),
  };
}

function recoveryId(code: string): string {
  return `recovery ${hashSecret(code).toString('base64url')}`;
}

function toView({ id, kind, name, createdAt, lastUsedAt }: FactorRow): FactorView {
  return {
    id,
    kind: kind as FactorView['kind'],
    name,
    createdAt: createdAt.toISOString(),
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
  };
}

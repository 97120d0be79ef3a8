/**
 * The second factors of an account: authenticator apps (totp-factor.ts), passkeys (passkeys.ts) and recovery codes. They
 * are added and checked there; here they are listed, renamed and removed.
 *
 * Recovery codes are created with the first factor and deleted with the last.
 */
import { and, asc, eq, isNotNull, ne } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { mfaFactors } from '../../database/tables/credential-tables.ts';
import { Failure } from '../../errors.ts';
import { type LockedSession, lockSession } from '../sessions/session-lock.ts';
import { hasRecoveryCodes, replaceRecoveryCodes } from './recovery-codes.ts';

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
  /** Whether a login needs a second step. */
  readonly isEnabled: (userId: string) => Promise<boolean>;
  /** The methods that the second step of a login accepts; empty if there is no second step. */
  readonly methodsOf: (userId: string) => Promise<readonly FactorMethod[]>;
  readonly overview: (userId: string) => Promise<FactorOverview>;
  /** Called in the transaction that added a factor. @returns recovery codes if the account had none */
  readonly addedFactor: (tx: Transaction, userId: string) => Promise<readonly string[] | undefined>;
  /** @throws Failure `not_found` */
  readonly rename: (userId: string, factorId: string, name: string) => Promise<FactorView>;
  /** @throws Failure `not_found` */
  readonly remove: (tx: Transaction, userId: string, factorId: string) => Promise<FactorView>;
  /** Replaces the recovery codes. @throws Failure `conflict` without a second factor */
  readonly renewRecoveryCodes: (session: LockedSession) => Promise<readonly string[]>;
}

type FactorRow = typeof mfaFactors.$inferSelect;

/** In the order in which clients offer them. */
const methods: readonly (readonly [FactorRow['kind'], FactorMethod])[] = [
  ['totp', 'totp'],
  ['passkey', 'passkey'],
  ['recovery', 'recovery_code'],
];

export function createMfaFactors({
  db,
  onAdded,
}: {
  db: Database;
  /** In the transaction that adds a factor. */
  onAdded: (tx: Transaction, userId: string) => Promise<void>;
}): MfaFactors {
  async function methodsOf(userId: string): Promise<readonly FactorMethod[]> {
    const rows = await db
      .selectDistinct({ kind: mfaFactors.kind })
      .from(mfaFactors)
      .where(and(eq(mfaFactors.userId, userId), confirmed));
    const kinds = new Set(rows.map(({ kind }) => kind));
    if (!kinds.has('totp') && !kinds.has('passkey')) return [];
    return methods.filter(([kind]) => kinds.has(kind)).map(([, method]) => method);
  }

  async function overview(userId: string): Promise<FactorOverview> {
    const rows = await db
      .select()
      .from(mfaFactors)
      .where(and(eq(mfaFactors.userId, userId), confirmed))
      .orderBy(asc(mfaFactors.createdAt));
    return {
      factors: rows.filter(({ kind }) => kind !== 'recovery').map(toView),
      recoveryCodesLeft: rows.filter(({ kind }) => kind === 'recovery').length,
    };
  }

  async function addedFactor(tx: Transaction, userId: string): Promise<string[] | undefined> {
    await onAdded(tx, userId);
    return (await hasRecoveryCodes(tx, userId)) ? undefined : replaceRecoveryCodes(tx, userId);
  }

  async function rename(userId: string, factorId: string, name: string): Promise<FactorView> {
    const [row] = await db
      .update(mfaFactors)
      .set({ name })
      .where(and(eq(mfaFactors.id, factorId), factorsOf(userId)))
      .returning();
    if (!row) throw new Failure('not_found', 'no such second factor');
    return toView(row);
  }

  async function remove(tx: Transaction, userId: string, factorId: string): Promise<FactorView> {
    const [removed] = await tx
      .delete(mfaFactors)
      .where(and(eq(mfaFactors.id, factorId), factorsOf(userId)))
      .returning();
    if (!removed) throw new Failure('not_found', 'no such second factor');
    if (!(await hasFactor(tx, userId))) await tx.delete(mfaFactors).where(eq(mfaFactors.userId, userId));
    return toView(removed);
  }

  async function renewRecoveryCodes(session: LockedSession): Promise<readonly string[]> {
    return db.transaction(async (tx) => {
      const { id: userId } = await lockSession(tx, session);
      if (!(await hasFactor(tx, userId)))
        throw new Failure('conflict', 'recovery codes need a second factor: set one up first');
      return replaceRecoveryCodes(tx, userId);
    });
  }

  return {
    isEnabled: async (userId) => (await methodsOf(userId)).length > 0,
    methodsOf,
    overview,
    addedFactor,
    rename,
    remove,
    renewRecoveryCodes,
  };
}

const confirmed = isNotNull(mfaFactors.confirmedAt);

/** Confirmed factors, recovery codes not counted. */
function factorsOf(userId: string) {
  return and(eq(mfaFactors.userId, userId), ne(mfaFactors.kind, 'recovery'), confirmed);
}

async function hasFactor(tx: Transaction, userId: string): Promise<boolean> {
  const [factor] = await tx.select({ id: mfaFactors.id }).from(mfaFactors).where(factorsOf(userId)).limit(1);
  return factor !== undefined;
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

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
import type { Database, Transaction } from '../database/connect.ts';
import { secondFactors } from '../database/tables.ts';
import { Failure, invalid } from '../errors.ts';
import { holdLogin, type LoginHolder } from './login-hold.ts';
import type { Sealer } from './sealing.ts';
import { hashSecret } from './secrets.ts';
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

export interface SecondFactors {
  /** Ways to take the second step of a login; none: there is no second step. */
  readonly methodsOf: (userId: string) => Promise<readonly FactorMethod[]>;
  readonly overview: (userId: string) => Promise<FactorOverview>;
  /** Shows a new secret; an unconfirmed one before it is forgotten. @throws Failure `conflict` when one is confirmed */
  readonly beginTotp: (login: LoginHolder, account: string) => Promise<{ secret: string; uri: string }>;
  /** @returns recovery codes when this is the first factor. @throws Failure `invalid` for a wrong code */
  readonly confirmTotp: (login: LoginHolder, code: string) => Promise<readonly string[] | undefined>;
  /** Uses up a one-time password or a recovery code. @returns which it was, undefined for a wrong or used one */
  readonly useCode: (userId: string, code: string) => Promise<'totp' | 'recovery_code' | undefined>;
  /** In the caller's transaction, after a factor was added. @returns recovery codes when there were none */
  readonly addedFactor: (tx: Transaction, userId: string) => Promise<readonly string[] | undefined>;
  /** @throws Failure `not_found` */
  readonly rename: (userId: string, factorId: string, name: string) => Promise<FactorView>;
  /** @throws Failure `not_found` */
  readonly remove: (tx: Transaction, userId: string, factorId: string) => Promise<FactorView>;
  /** New recovery codes in place of the old ones. @throws Failure `conflict` without a factor */
  readonly renewRecoveryCodes: (login: LoginHolder) => Promise<readonly string[]>;
}

type FactorRow = typeof secondFactors.$inferSelect;

const codesCount = 10;
/** Passkeys of one account. */
export const passkeysMax = 20;

export function createSecondFactors({
  db,
  sealer,
  issuer,
  onAdded,
  logger,
}: {
  db: Database;
  sealer: Sealer;
  /** What authenticator apps call this server. */
  issuer: string;
  /** In the transaction that adds a factor. */
  onAdded: (tx: Transaction, userId: string) => Promise<void>;
  logger: Logger;
}): SecondFactors {
  const real = ne(secondFactors.kind, 'recovery');
  const confirmed = isNotNull(secondFactors.confirmedAt);
  const of = (userId: string) => eq(secondFactors.userId, userId);
  const sealPurpose = (userId: string) => `totp ${userId}`;

  async function makeRecoveryCodes(tx: Transaction, userId: string): Promise<string[]> {
    await tx.delete(secondFactors).where(and(of(userId), eq(secondFactors.kind, 'recovery')));
    // 140 random bits each, so that a plain hash keeps them.
    const codes = Array.from({ length: codesCount }, () => toBase32(randomBytes(18)).slice(0, 28));
    await tx.insert(secondFactors).values(
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
      .select({ id: secondFactors.id })
      .from(secondFactors)
      .where(and(of(userId), eq(secondFactors.kind, 'recovery')))
      .limit(1);
    return code ? undefined : makeRecoveryCodes(tx, userId);
  }

  /** The person's one-time password, and what time it is for the database: instances' clocks may be wrong. */
  async function findTotp(tx: Database | Transaction, userId: string, isConfirmed: boolean) {
    const [row] = await tx
      .select({
        id: secondFactors.id,
        data: secondFactors.data,
        seconds: sql<number>`extract(epoch from clock_timestamp())::float8`,
      })
      .from(secondFactors)
      .where(
        and(of(userId), eq(secondFactors.kind, 'totp'), isConfirmed ? confirmed : isNull(secondFactors.confirmedAt)),
      );
    if (!row) return undefined;
    const { secret, lastStep = 0 } = row.data as { secret: string; lastStep?: number };
    return { id: row.id, secret: openSecret(secret, userId), afterStep: lastStep, seconds: row.seconds };
  }

  /** @throws Failure `unavailable` when the key that sealed it is gone: the other factors and the recovery codes still work */
  function openSecret(sealed: string, userId: string): Buffer {
    try {
      return sealer.open(sealed, sealPurpose(userId));
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
      .update(secondFactors)
      .set({
        data: sql`${secondFactors.data} || jsonb_build_object('lastStep', ${step}::bigint)`,
        lastUsedAt: sql`now()`,
        confirmedAt: sql`coalesce(${secondFactors.confirmedAt}, now())`,
      })
      .where(and(eq(secondFactors.id, id), sql`coalesce((${secondFactors.data}->>'lastStep')::bigint, 0) < ${step}`))
      .returning({ id: secondFactors.id });
    return taken.length > 0;
  }

  return {
    methodsOf: async (userId) => {
      const rows = await db
        .selectDistinct({ kind: secondFactors.kind })
        .from(secondFactors)
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
        .from(secondFactors)
        .where(and(of(userId), confirmed))
        .orderBy(asc(secondFactors.createdAt));
      return {
        factors: rows.filter(({ kind }) => kind !== 'recovery').map(toView),
        recoveryCodesLeft: rows.filter(({ kind }) => kind === 'recovery').length,
      };
    },
    beginTotp: async (login, account) => {
      const { userId } = login;
      const secret = randomBytes(20);
      await db.transaction(async (tx) => {
        await holdLogin(tx, login);
        const [known] = await tx
          .select({ id: secondFactors.id })
          .from(secondFactors)
          .where(and(of(userId), eq(secondFactors.kind, 'totp'), confirmed));
        if (known) throw new Failure('conflict', 'one-time passwords are on already');
        await tx.delete(secondFactors).where(and(of(userId), eq(secondFactors.kind, 'totp')));
        await tx.insert(secondFactors).values({
          id: uuidv7(),
          userId,
          kind: 'totp',
          name: 'Authenticator app',
          data: { secret: sealer.seal(secret, sealPurpose(userId)) },
        });
      });
      return { secret: toBase32(secret), uri: totpUri(secret, { issuer, account }) };
    },
    confirmTotp: async (login, code) =>
      db.transaction(async (tx) => {
        const { id: userId } = await holdLogin(tx, login);
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
          .delete(secondFactors)
          .where(and(eq(secondFactors.id, recoveryId(plain)), of(userId), eq(secondFactors.kind, 'recovery')))
          .returning({ id: secondFactors.id });
        return used.length > 0 ? 'recovery_code' : undefined;
      }
      const totp = await findTotp(db, userId, true);
      const step = totp && findStep(totp.secret, plain, totp);
      return step !== undefined && (await takeStep(db, totp!.id, step)) ? 'totp' : undefined;
    },
    addedFactor,
    rename: async (userId, factorId, name) => {
      const [row] = await db
        .update(secondFactors)
        .set({ name })
        .where(and(eq(secondFactors.id, factorId), of(userId), real, confirmed))
        .returning();
      if (!row) throw new Failure('not_found', 'no such second factor');
      return toView(row);
    },
    remove: async (tx, userId, factorId) => {
      const [removed] = await tx
        .delete(secondFactors)
        .where(and(eq(secondFactors.id, factorId), of(userId), real, confirmed))
        .returning();
      if (!removed) throw new Failure('not_found', 'no such second factor');
      const [other] = await tx
        .select({ id: secondFactors.id })
        .from(secondFactors)
        .where(and(of(userId), real, confirmed))
        .limit(1);
      if (!other) await tx.delete(secondFactors).where(of(userId));
      return toView(removed);
    },
    renewRecoveryCodes: async (login) =>
      db.transaction(async (tx) => {
        const { id: userId } = await holdLogin(tx, login);
        const [factor] = await tx
          .select({ id: secondFactors.id })
          .from(secondFactors)
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

/**
 * E-mail addresses of accounts. Several accounts may give the same address; the first one that verifies it owns it, and
 * `users_verified_email` allows one owner.
 */
import { and, eq, isNull, ne, not, notExists, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import type { Database, Transaction } from '../../database/connect.ts';
import { users } from '../../database/tables/user-tables.ts';
import type { LockedAccount } from './account-lock.ts';

type UserRow = typeof users.$inferSelect;

export interface AddressProof {
  readonly email: string;
  /** Whether the same person has also proved to own the account: by a session of it, or by a reset link. */
  readonly inside: boolean;
}

export interface AddressRepository {
  readonly findVerifiedOwner: (email: string) => Promise<UserRow | undefined>;
  /** Sets or removes the address. @throws a violation of `users_verified_email` if another account has verified it */
  readonly setAddress: (
    tx: Database | Transaction,
    id: string,
    address: { email: string | null; emailVerified: boolean },
  ) => Promise<void>;
  /**
   * Gives the account a new, verified address.
   * @returns the old one; undefined if another account owns the new one, or the account was erased
   */
  readonly changeEmail: (
    tx: Transaction,
    id: string,
    proof: AddressProof,
  ) => Promise<{ oldEmail: string | null; wasVerified: boolean } | undefined>;
  /**
   * Verifies the account's address. Locks the account until the transaction ends.
   * @returns the account as it was before; undefined if another account owns the address, or this one no longer has it
   */
  readonly verifyEmail: (tx: Transaction, id: string, proof: AddressProof) => Promise<LockedAccount | undefined>;
}

const present = isNull(users.erasedAt);
const others = alias(users, 'others');

export function createAddressRepository(db: Database): AddressRepository {
  async function findVerifiedOwner(email: string): Promise<UserRow | undefined> {
    const [row] = await db
      .select()
      .from(users)
      .where(
        and(eq(sql`lower(${users.email})`, email.toLowerCase()), sql`${users.emailVerifiedAt} is not null`, present),
      );
    return row;
  }

  const setAddress: AddressRepository['setAddress'] = async (tx, id, { email, emailVerified }) => {
    const isSame = and(
      sql`${users.email} is not distinct from ${email}`,
      sql`(${users.emailVerifiedAt} is not null) = ${emailVerified}`,
    );
    await tx
      .update(users)
      .set({ email, emailVerifiedAt: emailVerified ? sql`now()` : null, confirmedOutside: false })
      .where(and(eq(users.id, id), present, not(isSame!)));
  };

  const changeEmail: AddressRepository['changeEmail'] = async (tx, id, { email, inside }) => {
    await lockAddress(tx, email);
    const [before] = await tx
      .select({ oldEmail: users.email, verifiedAt: users.emailVerifiedAt })
      .from(users)
      .where(and(eq(users.id, id), present))
      .for('update');
    if (!before) return undefined;
    const changed = await tx
      .update(users)
      .set({ email, emailVerifiedAt: sql`now()`, confirmedOutside: !inside })
      .where(and(eq(users.id, id), notExists(ownedByOther(tx, id, email))))
      .returning({ id: users.id });
    return changed.length > 0 ? { oldEmail: before.oldEmail, wasVerified: before.verifiedAt !== null } : undefined;
  };

  const verifyEmail: AddressRepository['verifyEmail'] = async (tx, id, { email, inside }) => {
    await lockAddress(tx, email);
    const [before] = await tx.select().from(users).where(eq(users.id, id)).for('update');
    const verified = await tx
      .update(users)
      .set({
        emailVerifiedAt: sql`now()`,
        // An address that was once verified from inside stays so.
        confirmedOutside: inside ? false : sql`${users.emailVerifiedAt} is null or ${users.confirmedOutside}`,
      })
      .where(
        and(
          eq(users.id, id),
          eq(sql`lower(${users.email})`, email.toLowerCase()),
          present,
          notExists(ownedByOther(tx, id, email)),
        ),
      )
      .returning({ id: users.id });
    return verified.length > 0 ? (before as LockedAccount) : undefined;
  };

  return { findVerifiedOwner, setAddress, changeEmail, verifyEmail };
}

/** Locks the address by its hash, so that two accounts cannot verify it at the same time. */
async function lockAddress(tx: Transaction, email: string): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${email.toLowerCase()}, 0))`);
}

function ownedByOther(tx: Transaction, id: string, email: string) {
  return tx
    .select({ one: sql`1` })
    .from(others)
    .where(
      and(
        eq(sql`lower(${others.email})`, email.toLowerCase()),
        sql`${others.emailVerifiedAt} is not null`,
        ne(others.id, id),
      ),
    );
}

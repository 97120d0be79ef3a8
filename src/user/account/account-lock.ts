/**
 * Keeps an account from being erased, or also from being changed, while something is written for it. An erasure locks the
 * user's row for update before anything else (erasure-service.ts). So a transaction with this lock either commits first,
 * and the erasure deletes what it wrote, or it finds that the account is gone.
 */
import { and, eq, isNull } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { users } from '../../database/tables/user-tables.ts';
import { Failure } from '../../errors.ts';

type UserRow = typeof users.$inferSelect;

declare const lockStrength: unique symbol;
/**
 * An account that the transaction has locked for update. Functions that rely on the lock take this type, so a caller
 * without the lock does not compile.
 */
export type LockedAccount = UserRow & { readonly [lockStrength]: 'update' };

/**
 * Locks the account until the transaction ends.
 *
 * @param strength `key share`: it cannot be erased; others may hold this lock, too. `no key update`: it cannot be changed
 *   either; one transaction at a time. `update`: nobody else holds any lock
 * @returns the account as it is now
 * @throws Failure `unauthenticated` if it was erased
 */
export async function lockAccount(tx: Transaction, userId: string, strength: 'update'): Promise<LockedAccount>;
export async function lockAccount(
  tx: Transaction,
  userId: string,
  strength?: 'key share' | 'no key update',
): Promise<UserRow>;
export async function lockAccount(
  tx: Transaction,
  userId: string,
  strength: 'key share' | 'no key update' | 'update' = 'key share',
): Promise<UserRow> {
  const [row] = await tx
    .select()
    .from(users)
    .where(and(eq(users.id, userId), isNull(users.erasedAt)))
    .for(strength);
  if (!row) throw new Failure('unauthenticated', 'the account no longer exists');
  return row;
}

/**
 * Keeps an account from being erased, and where one asks for more from being changed, while something is written for it. An erasure takes the user's row for update
 * before anything else (erasure-service.ts): who holds the row goes first and is swept away with the rest, who comes
 * later finds nobody.
 */
import { and, eq, isNull } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { users } from '../../database/tables/user-tables.ts';
import { Failure } from '../../errors.ts';
import type { UserRow } from './user-repository.ts';

/**
 * Holds the account until the transaction ends.
 *
 * @param strength `key share`: others may hold it too; `no key update`: nobody changes it meanwhile, and of those who ask
 *   for this one is served at a time; `update`: nobody else holds it
 * @throws Failure `unauthenticated` when it was erased
 */
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
  if (!row) throw new Failure('unauthenticated', 'the account is gone');
  return row;
}

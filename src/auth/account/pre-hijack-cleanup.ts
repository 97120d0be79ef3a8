/**
 * Ways into an account that somebody may have prepared who is not its owner: they signed up with another person's
 * address, linked their own login, added their own passkey, and wait until the owner of the address comes in by
 * “Forgot password?”. Whoever shows for the first time that account and address are theirs begins without them.
 *
 * @see https://www.usenix.org/conference/usenixsecurity22/presentation/sudhodanan on account pre-hijacking
 */
import { and, eq, isNotNull, isNull, lte, ne, notExists, sql } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { mfaFactors, oneTimeTokens } from '../../database/tables/credential-tables.ts';
import { identities } from '../../database/tables/identity-tables.ts';
import { apiKeys } from '../../database/tables/request-tables.ts';

/**
 * Takes away linked logins, API keys and links under way. Second factors go too, but for those that were added after
 * the address was proved, for its owner was mailed about each: a mailbox alone shall not take them away.
 * The caller holds the lock of the account, and ends its logins.
 *
 * @param provedAt when the address was proved without a login of the account; null: never before
 */
export async function removePreHijackAccess(
  tx: Transaction,
  { userId, provedAt }: { userId: string; provedAt: Date | null },
): Promise<void> {
  await tx.delete(identities).where(eq(identities.userId, userId));
  await tx
    .update(apiKeys)
    .set({ revokedAt: sql`now()` })
    .where(and(eq(apiKeys.createdBy, userId), isNull(apiKeys.revokedAt)));
  await tx.delete(oneTimeTokens).where(eq(oneTimeTokens.userId, userId));
  await endFactors(tx, userId, provedAt);
}

async function endFactors(tx: Transaction, userId: string, provedAt: Date | null): Promise<void> {
  const own = eq(mfaFactors.userId, userId);
  await tx.delete(mfaFactors).where(and(own, provedAt ? lte(mfaFactors.createdAt, provedAt) : undefined));
  // Recovery codes go with the last factor.
  const kept = tx
    .select({ userId: mfaFactors.userId })
    .from(mfaFactors)
    .where(and(own, ne(mfaFactors.kind, 'recovery'), isNotNull(mfaFactors.confirmedAt)));
  await tx.delete(mfaFactors).where(and(own, notExists(kept)));
}

/**
 * Protects against account pre-hijacking. An attacker signs up with somebody else's address, links their own provider or
 * adds their own passkey, and waits until the owner of the address resets the password. So the first proof that one
 * person owns both account and address removes all other access.
 *
 * @see https://www.usenix.org/conference/usenixsecurity22/presentation/sudhodanan on account pre-hijacking
 */
import { and, eq, isNotNull, isNull, lte, ne, notExists, sql } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { mfaFactors, oneTimeTokens } from '../../database/tables/credential-tables.ts';
import { identities } from '../../database/tables/identity-tables.ts';
import { apiKeys } from '../../database/tables/request-tables.ts';
import type { LockedAccount } from '../../user/account/account-lock.ts';

/**
 * Deletes linked identities and one-time tokens, and revokes API keys. Also deletes second factors, except those that were
 * added after the address was verified: its owner got a mail about each, and a mailbox alone must not remove them.
 * The caller ends the account's sessions.
 *
 * @param account as it was before this proof. If its address was verified then, that was outside of a session
 */
export async function removePreHijackAccess(
  tx: Transaction,
  { id: userId, emailVerifiedAt }: LockedAccount,
): Promise<void> {
  await tx.delete(identities).where(eq(identities.userId, userId));
  await tx
    .update(apiKeys)
    .set({ revokedAt: sql`now()` })
    .where(and(eq(apiKeys.createdBy, userId), isNull(apiKeys.revokedAt)));
  await tx.delete(oneTimeTokens).where(eq(oneTimeTokens.userId, userId));
  await endFactors(tx, userId, emailVerifiedAt);
}

async function endFactors(tx: Transaction, userId: string, provedAt: Date | null): Promise<void> {
  const own = eq(mfaFactors.userId, userId);
  await tx.delete(mfaFactors).where(and(own, provedAt ? lte(mfaFactors.createdAt, provedAt) : undefined));
  // Recovery codes are deleted with the last factor.
  const kept = tx
    .select({ userId: mfaFactors.userId })
    .from(mfaFactors)
    .where(and(own, ne(mfaFactors.kind, 'recovery'), isNotNull(mfaFactors.confirmedAt)));
  await tx.delete(mfaFactors).where(and(own, notExists(kept)));
}

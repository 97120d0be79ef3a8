/**
 * Keeps a session from ending while it changes its account. Whatever ends sessions (a password change, a reset, a ban)
 * locks the account first (session-store.ts). So a request that was authenticated before and gets here afterwards changes
 * nothing, and cannot leave a new login method behind.
 */
import { and, eq, isNull } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { sessions } from '../../database/tables/session-tables.ts';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { type LockedAccount, lockAccount } from '../../user/account/account-lock.ts';

export type LockedSession = Pick<Caller, 'userId' | 'sessionId'>;

/**
 * Locks the account until the transaction ends, so its changes happen one at a time, and checks that the session is open.
 * @returns the account as it is now
 * @throws Failure `unauthenticated` if the session has ended or the account was erased
 */
export async function lockSession(tx: Transaction, { userId, sessionId }: LockedSession): Promise<LockedAccount> {
  const user = await lockAccount(tx, userId, 'update');
  // A host application's user has no session here.
  if (sessionId === undefined) return user;
  const [open] = await tx
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(eq(sessions.id, sessionId), eq(sessions.userId, userId), isNull(sessions.revokedAt)));
  if (!open) throw new Failure('unauthenticated', 'this session has ended');
  return user;
}

/**
 * Keeps a login from ending while it changes its account. What ends logins (another password, a reset, a ban) takes the
 * account first (session-store.ts): a request that was let in before and comes here later changes nothing any more, and
 * leaves no way in behind.
 */
import { and, eq, isNull } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { sessions } from '../../database/tables/session-tables.ts';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { lockAccount } from '../../user/account/account-lock.ts';
import type { UserRow } from '../../user/account/user-repository.ts';

export type LockedSession = Pick<Caller, 'userId' | 'sessionId'>;

/**
 * Holds account and login until the transaction ends; one such change of an account at a time.
 * @throws Failure `unauthenticated` when either has ended
 */
export async function lockSession(tx: Transaction, { userId, sessionId }: LockedSession): Promise<UserRow> {
  const user = await lockAccount(tx, userId, 'update');
  // A host application's user has no login of their own here.
  if (sessionId === undefined) return user;
  const [open] = await tx
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(eq(sessions.id, sessionId), eq(sessions.userId, userId), isNull(sessions.revokedAt)));
  if (!open) throw new Failure('unauthenticated', 'this login has ended');
  return user;
}

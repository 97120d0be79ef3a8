/** Stores the decisions of moderators. */
import { eq, sql } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { moderationQueue } from '../../database/tables/moderation-tables.ts';
import { users } from '../../database/tables/user-tables.ts';
import { Failure } from '../../errors.ts';
import type { QueueState } from './queue-entry.ts';

declare const authorLocked: unique symbol;

/**
 * Proof that the transaction locked the author's account before anything of theirs. An erasure takes the account first and
 * then what moderation keeps of the author; a transaction in the opposite order could deadlock with it.
 */
export interface AuthorLock {
  readonly [authorLocked]: true;
}

/** Locks the account until the transaction ends. Succeeds also when the account is gone. */
export async function lockAuthor(tx: Transaction, authorId: string): Promise<AuthorLock> {
  await tx.select({ id: users.id }).from(users).where(eq(users.id, authorId)).for('key share');
  return {} as AuthorLock;
}

/**
 * Stores a decision on an entry.
 * @param _lock comes before the lock of the entry, which this takes
 * @returns whether the entry had another state before
 * @throws Failure `not_found`
 */
export async function storeDecision(
  tx: Transaction,
  _lock: AuthorLock,
  { id, state, decidedBy, note }: { id: string; state: QueueState; decidedBy: string; note: string | undefined },
): Promise<boolean> {
  const [entry] = await tx
    .select({ state: moderationQueue.state })
    .from(moderationQueue)
    .where(eq(moderationQueue.id, id))
    .for('update');
  if (!entry) throw new Failure('not_found', 'no such entry');
  if (entry.state === state) return false;
  await tx
    .update(moderationQueue)
    .set({ state, decidedBy, decidedAt: sql`now()`, note: note ?? null })
    .where(eq(moderationQueue.id, id));
  return true;
}

/** The SQL of exporting and erasing the threads that a user follows. */
import { eq, sql } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';
import { threadFollows } from '../../database/tables/conversation-tables.ts';

/** Rows of one statement. */
const deletedAtOnce = 500;

/**
 * Does not wait for rows that others hold: a group commit locks several rows of this table, in its own order.
 * @returns how many there were
 */
export async function deleteFollows(db: Database, userId: string): Promise<number> {
  const rows = await db.execute<{ left: number }>(sql`
    with chosen as (
      select thread_id, user_id from thread_follows where user_id = ${userId} limit ${deletedAtOnce} for update skip locked
    ), deleted as (
      delete from thread_follows f using chosen c where f.thread_id = c.thread_id and f.user_id = c.user_id
    )
    select count(*)::int as left from thread_follows where user_id = ${userId}`);
  return rows[0]!.left;
}

export async function readFollows(db: Database, userId: string) {
  return db
    .select({
      threadId: threadFollows.threadId,
      roomId: threadFollows.roomId,
      following: threadFollows.following,
      lastReadSeq: threadFollows.lastReadSeq,
      updatedAt: threadFollows.updatedAt,
    })
    .from(threadFollows)
    .where(eq(threadFollows.userId, userId))
    .orderBy(threadFollows.threadId);
}

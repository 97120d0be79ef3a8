/** Who is kept out of a room: asked in every transaction that lets somebody in. Bans are made in moderation/. */
import { sql } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';

/**
 * Held to the end of the transaction. A ban of somebody who is no member leaves no event in the room's log, so the log's
 * order cannot tell whether it came before a join; this lock does.
 */
export async function lockEntry(tx: Transaction, roomId: string, userId: string): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`entry ${roomId} ${userId}`}, 0))`);
}

/** By Postgres' clock. @throws Failure `banned`, with the end of the ban in `until` where it has one */
export async function requireNotBanned(tx: Transaction, roomId: string, userId: string): Promise<void> {
  await lockEntry(tx, roomId, userId);
  const [ban] = await tx.execute<{ until: string | null }>(sql`
    select to_json(expires_at) #>> '{}' as until from moderation_bans
    where user_id = ${userId} and lifted_at is null and (room_id is null or room_id = ${roomId})
      and (expires_at is null or expires_at > clock_timestamp())
    order by expires_at desc nulls first limit 1`);
  if (!ban) return;
  const details = ban.until === null ? {} : { details: { until: new Date(ban.until).toISOString() } };
  throw new Failure('banned', 'banned from this room', details);
}

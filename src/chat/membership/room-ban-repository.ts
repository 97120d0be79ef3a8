/**
 * Reads bans, and orders them against joins. Every transaction that adds a member checks here, and so does every
 * request to read a public room by a user who has not joined it. Bans are made in moderation/bans.
 */
import { sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';

declare const entryLocked: unique symbol;

/**
 * Proof that the transaction holds the entry lock of one user in one room. Joins and room bans need it: a ban of a
 * non-member leaves no event in the room's log, so the log's order cannot tell whether the ban or the join came first.
 */
export interface EntryLock {
  readonly roomId: string;
  readonly userId: string;
  readonly [entryLocked]: true;
}

/** Takes the entry lock until the transaction ends. Take it before reading bans: the read must see a ban made before. */
export async function lockEntry(tx: Transaction, roomId: string, userId: string): Promise<EntryLock> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`entry ${roomId} ${userId}`}, 0))`);
  return { roomId, userId } as EntryLock;
}

/** Bans of the deployment and of rooms that hold now, by Postgres' clock. */
const inForce = sql`lifted_at is null and (expires_at is null or expires_at > clock_timestamp())`;

/** @throws Failure `banned`, with the end of the ban in `until` where it has one */
export async function requireNotBanned(tx: Database | Transaction, roomId: string, userId: string): Promise<void> {
  const [ban] = await tx.execute<{ until: string | null }>(sql`
    select to_json(expires_at) #>> '{}' as until from moderation_bans
    where user_id = ${userId} and (room_id is null or room_id = ${roomId}) and ${inForce}
    order by expires_at desc nulls first limit 1`);
  if (!ban) return;
  const details = ban.until === null ? {} : { details: { until: new Date(ban.until).toISOString() } };
  throw new Failure('banned', 'banned from this room', details);
}

/** @returns those of the places where the room has banned the user */
export async function findBanned<Place extends { readonly roomId: string; readonly userId: string }>(
  db: Database,
  places: readonly Place[],
): Promise<Place[]> {
  const pairs = JSON.stringify(places.map(({ roomId, userId }) => ({ room_id: roomId, user_id: userId })));
  const rows = await db.execute<{ roomId: string; userId: string }>(sql`
    select distinct room_id as "roomId", user_id as "userId" from moderation_bans
    join json_to_recordset(${pairs}::json) as place (room_id uuid, user_id uuid) using (room_id, user_id)
    where ${inForce}`);
  const banned = new Set([...rows].map(({ roomId, userId }) => `${roomId} ${userId}`));
  return places.filter(({ roomId, userId }) => banned.has(`${roomId} ${userId}`));
}

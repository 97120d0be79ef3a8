/**
 * The rows of memberships: `members` holds who is in a room now, `membership_changes` every beginning and end.
 * Functions that take a transaction belong into one that appends the event which says the same.
 */
import { and, desc, eq, sql } from 'drizzle-orm';
import type { Database, Sql, Transaction } from '../../database/connect.ts';
import { readStates } from '../../database/tables/read-tables.ts';
import { members, membershipChanges } from '../../database/tables/room-tables.ts';
import type { MemberRole } from '../../permissions.ts';
import type { EntryLock } from './room-ban-repository.ts';

/** One user in one room. */
export interface MemberKey {
  readonly roomId: string;
  readonly userId: string;
}

export interface MemberRow {
  readonly userId: string;
  readonly role: MemberRole;
  /** RFC 3339. */
  readonly joinedAt: string;
  /** RFC 3339, in the future by Postgres' clock; null: not muted. */
  readonly mutedUntil: string | null;
}

const rowOf = ({ roomId, userId }: MemberKey) => and(eq(members.roomId, roomId), eq(members.userId, userId));

// ── Reading ──

/** Members by user id. @param after the last user id of the page before */
export async function listMemberRows(
  sql: Sql,
  roomId: string,
  after: string | undefined,
  limit: number,
): Promise<MemberRow[]> {
  const rows = await sql<{ user_id: string; role: MemberRole; joined_at: Date; muted_until: Date | null }[]>`
    select user_id, role, joined_at, case when muted_until > now() then muted_until end as muted_until from members
    where room_id = ${roomId} and (${after === undefined} or user_id > ${after ?? '00000000-0000-0000-0000-000000000000'}::uuid)
    order by user_id limit ${limit}`;
  return rows.map((row) => ({
    userId: row.user_id,
    role: row.role,
    joinedAt: row.joined_at.toISOString(),
    mutedUntil: row.muted_until?.toISOString() ?? null,
  }));
}

/** @param nowMs Postgres' clock: a mute that ended before it is left out */
export async function findMemberRow(db: Database, member: MemberKey, nowMs: number): Promise<MemberRow | undefined> {
  const [row] = await db
    .select({ role: members.role, joinedAt: members.joinedAt, mutedUntil: members.mutedUntil })
    .from(members)
    .where(rowOf(member));
  if (!row) return undefined;
  const { role, joinedAt, mutedUntil } = row;
  const isMuted = mutedUntil !== null && mutedUntil.getTime() > nowMs;
  return {
    userId: member.userId,
    role,
    joinedAt: joinedAt.toISOString(),
    mutedUntil: isMuted ? mutedUntil.toISOString() : null,
  };
}

/** Whether the user is or ever was a member of the room. */
export async function wasEverMember(db: Database, { roomId, userId }: MemberKey): Promise<boolean> {
  const [change] = await db
    .select({ kind: membershipChanges.kind })
    .from(membershipChanges)
    .where(and(eq(membershipChanges.roomId, roomId), eq(membershipChanges.userId, userId)))
    .limit(1);
  return change !== undefined;
}

/** The mute that a former member left with, if it still holds: leaving does not end a mute. */
export async function findMuteOfFormerMember(tx: Transaction, { roomId, userId }: MemberKey): Promise<Date | null> {
  const [last] = await tx
    .select({
      mutedUntil: membershipChanges.mutedUntil,
      holds: sql<boolean>`coalesce(${membershipChanges.mutedUntil} > clock_timestamp(), false)`,
    })
    .from(membershipChanges)
    .where(and(eq(membershipChanges.userId, userId), eq(membershipChanges.roomId, roomId)))
    .orderBy(desc(membershipChanges.id))
    .limit(1);
  return last?.holds ? last.mutedUntil : null;
}

// ── Writing ──

/**
 * Begins a membership at `joinedSeq`. Everything before that seq counts as read, also what the user left unread in an
 * earlier membership.
 */
export async function insertMember(
  tx: Transaction,
  { roomId, userId }: EntryLock,
  { role, joinedSeq, mutedUntil }: { role: MemberRole; joinedSeq: number; mutedUntil: Date | null },
): Promise<void> {
  await tx.insert(members).values({ roomId, userId, role, joinedSeq, mutedUntil });
  await tx.insert(membershipChanges).values({ roomId, userId, kind: 'joined', seq: joinedSeq });
  await tx
    .insert(readStates)
    .values({ userId, roomId, lastReadSeq: joinedSeq - 1, version: 1 })
    .onConflictDoUpdate({
      target: [readStates.userId, readStates.roomId],
      set: {
        lastReadSeq: sql`greatest(${readStates.lastReadSeq}, excluded.last_read_seq)`,
        version: sql`${readStates.version} + 1`,
        updatedAt: sql`now()`,
      },
    });
}

/** Ends a membership at `seq`. @param mutedUntil outlives the membership; null: not muted */
export async function deleteMember(
  tx: Transaction,
  member: MemberKey,
  { reason, seq, mutedUntil }: { reason: 'left' | 'removed' | 'banned'; seq: number; mutedUntil: Date | null },
): Promise<void> {
  await tx.delete(members).where(rowOf(member));
  const { roomId, userId } = member;
  await tx.insert(membershipChanges).values({ roomId, userId, kind: 'left', reason, seq, mutedUntil });
}

/** Ends all memberships of a room that is deleted at `seq`. */
export async function deleteAllMembers(tx: Transaction, roomId: string, seq: number): Promise<void> {
  const former = await tx.delete(members).where(eq(members.roomId, roomId)).returning({ userId: members.userId });
  const changes = former.map(({ userId }) => ({
    ...{ roomId, userId, seq },
    kind: 'left' as const,
    reason: 'deleted' as const,
  }));
  for (let at = 0; at < changes.length; at += 1000)
    await tx.insert(membershipChanges).values(changes.slice(at, at + 1000));
}

export async function updateRole(tx: Transaction, member: MemberKey, role: MemberRole): Promise<void> {
  await tx.update(members).set({ role }).where(rowOf(member));
}

/** Mutes for `seconds` from now by Postgres' clock; 0 unmutes. @returns when the mute ends */
export async function updateMute(tx: Transaction, member: MemberKey, seconds: number): Promise<Date | null> {
  const mutedUntil = seconds > 0 ? sql`date_trunc('milliseconds', now()) + ${seconds} * interval '1 second'` : null;
  const [row] = await tx
    .update(members)
    .set({ mutedUntil })
    .where(rowOf(member))
    .returning({ mutedUntil: members.mutedUntil });
  return row?.mutedUntil ?? null;
}

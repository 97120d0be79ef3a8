/** How somebody becomes a member, inside the transaction that appends `member.joined`: added, joining or invited alike. */
import { and, desc, eq, sql } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { readStates } from '../../database/tables/read-tables.ts';
import { members, membershipChanges } from '../../database/tables/room-tables.ts';
import { Failure } from '../../errors.ts';
import type { MemberRole } from '../../permissions.ts';
import type { AppendContext, DraftEvent } from '../events/event-log.ts';
import { lockEntry, requireNotBanned } from './room-bans.ts';

/** Leaving ends no mute: until when somebody is muted who was so when they left. */
async function findMute(tx: Transaction, roomId: string, userId: string): Promise<Date | null> {
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

/** What was said before somebody joins counts as read, what they left unread in an earlier membership too. */
async function markAllRead(
  tx: Transaction,
  { roomId, userId, seq }: { roomId: string; userId: string; seq: number },
): Promise<void> {
  await tx
    .insert(readStates)
    .values({ userId, roomId, lastReadSeq: seq })
    .onConflictDoUpdate({
      target: [readStates.userId, readStates.roomId],
      set: { lastReadSeq: sql`greatest(${readStates.lastReadSeq}, excluded.last_read_seq)`, updatedAt: sql`now()` },
    });
}

/**
 * @param by who lets them in: themselves, when they join or accept
 * @returns the event to append
 * @throws Failure `banned`, or `conflict` when the room is full
 */
export async function admitMember(
  { tx, state, nextSeq }: AppendContext,
  { roomId, userId, role, by }: { roomId: string; userId: string; role: MemberRole; by: string },
  { membersMax }: { membersMax: number },
): Promise<DraftEvent> {
  if (state.members.size >= membersMax) throw new Failure('conflict', 'the room is full');
  await lockEntry(tx, roomId, userId);
  await requireNotBanned(tx, roomId, userId);
  const mutedUntil = await findMute(tx, roomId, userId);
  await tx.insert(members).values({ roomId, userId, role, joinedSeq: nextSeq, mutedUntil });
  await tx.insert(membershipChanges).values({ roomId, userId, kind: 'joined', seq: nextSeq });
  await markAllRead(tx, { roomId, userId, seq: nextSeq - 1 });
  const muted = mutedUntil === null ? {} : { mutedUntil: mutedUntil.toISOString() };
  return { type: 'member.joined', actorId: by, data: { userId, role, by, ...muted } };
}

/** How a membership ends inside a transaction of the room's log: the row, its memory, the event, and the next owner. */
import { and, eq } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { members, membershipChanges } from '../../database/tables/room-tables.ts';
import type { MemberRole } from '../../permissions.ts';
import type { AppendContext, DraftEvent } from '../events/event-log.ts';
import type { RoomState } from '../state/room-state.ts';

/** Ends the membership of a member. @returns the events that say so, for the plan of the transaction */
export async function endMembership(
  { tx, state, nextSeq }: AppendContext,
  { roomId, userId, by, reason }: { roomId: string; userId: string; by: string; reason: 'left' | 'removed' | 'banned' },
): Promise<DraftEvent[]> {
  await tx.delete(members).where(and(eq(members.roomId, roomId), eq(members.userId, userId)));
  const mutedUntil = state.members.get(userId)?.mutedUntil ?? 0;
  await tx.insert(membershipChanges).values({
    roomId,
    userId,
    kind: 'left',
    reason,
    seq: nextSeq,
    mutedUntil: mutedUntil > 0 ? new Date(mutedUntil) : null,
  });
  const successor = state.members.get(userId)?.role === 'owner' ? findHeir(state, userId) : undefined;
  const left = { type: 'member.left', actorId: by, data: { userId, by, reason } };
  return [left, ...(await promote(tx, state, { roomId, successor, by }))];
}

/** Who owns the room when this owner goes: undefined while there is another, `none` when nobody is left. */
export function findHeir(state: RoomState, leavingId: string): string | 'none' | undefined {
  if (state.settings.kind === 'dm') return undefined;
  const others = [...state.members].filter(([id]) => id !== leavingId);
  if (others.some(([, member]) => member.role === 'owner')) return undefined;
  const longest = (role: MemberRole) =>
    others
      .filter(([, member]) => member.role === role)
      .sort(([, left], [, right]) => left.joinedSeq - right.joinedSeq)[0]?.[0];
  return longest('moderator') ?? longest('member') ?? 'none';
}

export async function promote(
  tx: Transaction,
  state: RoomState,
  { roomId, successor, by }: { roomId: string; successor: string | undefined; by: string },
): Promise<DraftEvent[]> {
  if (successor === undefined || successor === 'none') return [];
  await tx
    .update(members)
    .set({ role: 'owner' })
    .where(and(eq(members.roomId, roomId), eq(members.userId, successor)));
  const { mutedUntil } = state.members.get(successor)!;
  return [
    { type: 'member.updated', actorId: by, data: memberData({ userId: successor, role: 'owner', mutedUntil, by }) },
  ];
}

/** `data` of `member.updated`. @param mutedUntil milliseconds since the epoch; 0: not muted */
export function memberData({
  userId,
  role,
  mutedUntil,
  by,
}: {
  userId: string;
  role: MemberRole;
  mutedUntil: number;
  by: string;
}): Record<string, unknown> {
  return { userId, role, by, mutedUntil: mutedUntil > 0 ? new Date(mutedUntil).toISOString() : null };
}

/** How an erased person leaves a room: out of direct messages too, and with the words of a room that was theirs alone. */
import { and, eq, sql } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { events } from '../../database/tables/event-tables.ts';
import { rooms } from '../../database/tables/room-tables.ts';
import type { AppendContext, AppendPlan } from '../events/event-log.ts';
import { endMembership } from './member-departure.ts';

/** For `EventLog.transact`; again, it finds nothing to do. */
export async function eraseMember(
  context: AppendContext,
  { roomId, userId }: { roomId: string; userId: string },
): Promise<AppendPlan<undefined>> {
  const { tx, state } = context;
  const planned = state.members.has(userId)
    ? await endMembership(context, { roomId, userId, by: userId, reason: 'left' })
    : [];
  if ([...state.members.keys()].every((id) => id === userId) && (await scrubRoom(tx, roomId, userId)))
    planned.push({ type: 'room.deleted', actorId: userId, data: { by: userId } });
  return { events: planned, answer: undefined };
}

/** Takes the words from a room that only its maker is left in. @returns whether it was still there */
async function scrubRoom(tx: Transaction, roomId: string, createdBy: string): Promise<boolean> {
  const [room] = await tx
    .select({ deletedAt: rooms.deletedAt })
    .from(rooms)
    .where(and(eq(rooms.id, roomId), eq(rooms.createdBy, createdBy)));
  if (!room) return false;
  await tx
    .update(rooms)
    .set({ name: '', topic: '', dmKey: null, deletedAt: room.deletedAt ?? sql`now()` })
    .where(eq(rooms.id, roomId));
  await tx
    .update(events)
    .set({ data: sql`${events.data} || '{"room": {}}'` })
    .where(and(eq(events.roomId, roomId), eq(events.type, 'room.updated')));
  return room.deletedAt === null;
}

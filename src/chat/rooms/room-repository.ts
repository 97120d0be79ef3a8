/** Creates, changes and deletes the rows of rooms. Functions that take a transaction append the events that say the same. */
import { eq, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { events } from '../../database/tables/event-tables.ts';
import { members, membershipChanges, rooms } from '../../database/tables/room-tables.ts';
import type { MemberRole } from '../../permissions.ts';
import { deleteAllMembers } from '../membership/member-repository.ts';
import type { RoomSettings } from '../state/room-state.ts';

export type NewRoomRow = Omit<RoomSettings, 'createdAt'> & { readonly dmKey?: Buffer };

/** The settings of a room that its moderators change. */
export type RoomChanges = Partial<
  Pick<RoomSettings, 'name' | 'topic' | 'visibility' | 'history' | 'slowModeSeconds' | 'pins' | 'receipts'>
>;

/** Inserts a room whose log begins with one `member.joined` for each member, in this order. */
export async function insertRoom(
  tx: Transaction,
  room: NewRoomRow,
  {
    createdBy: by,
    ownerId,
    memberIds,
  }: { createdBy: string; ownerId: string | undefined; memberIds: readonly string[] },
): Promise<void> {
  await tx.insert(rooms).values({ ...room, createdBy: by });
  if (memberIds.length === 0) return;
  const roleOf = (userId: string): MemberRole => (userId === ownerId ? 'owner' : 'member');
  const first = memberIds.map((userId, index) => ({ roomId: room.id, userId, seq: index + 1, role: roleOf(userId) }));
  await tx
    .insert(members)
    .values(first.map(({ roomId, userId, seq, role }) => ({ roomId, userId, role, joinedSeq: seq })));
  const at = sql`date_trunc('milliseconds', now())`;
  await tx.insert(events).values(
    first.map(({ roomId, userId, seq, role }) => ({
      ...{ roomId, seq, at },
      type: 'member.joined',
      actorId: by,
      data: { userId, role, by },
    })),
  );
  await tx
    .insert(membershipChanges)
    .values(first.map(({ roomId, userId, seq }) => ({ roomId, userId, seq, kind: 'joined' as const })));
}

/** The id of the direct message with this key; see `directMessageKey`. */
export async function findDirectMessage(db: Database, dmKey: Buffer): Promise<string | undefined> {
  const [found] = await db.select({ id: rooms.id }).from(rooms).where(eq(rooms.dmKey, dmKey));
  return found?.id;
}

export async function updateRoom(tx: Transaction, roomId: string, changes: RoomChanges): Promise<void> {
  await tx.update(rooms).set(changes).where(eq(rooms.id, roomId));
}

/** Deletes a room at `seq` of its log, and with it all memberships. The log stays for those who still read it. */
export async function deleteRoom(tx: Transaction, roomId: string, seq: number): Promise<void> {
  await tx.update(rooms).set({ deletedAt: sql`now()`, dmKey: null }).where(eq(rooms.id, roomId));
  await deleteAllMembers(tx, roomId, seq);
}

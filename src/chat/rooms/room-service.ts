/** Rooms: shows them, lists them, changes their settings and deletes them. */
import { readAfterCommit } from '../../database/database-errors.ts';
import { Failure } from '../../errors.ts';
import type { AppendContext, AppendPlan, EventLog } from '../events/event-log.ts';
import type { RecordAct } from '../state/moderator-acts.ts';
import type { Actor } from '../state/room-state.ts';
import type { RoomAccess } from './room-access.ts';
import { deleteRoom, type RoomChanges, updateRoom } from './room-repository.ts';
import type { Room } from './room-rows.ts';
import type { RequireRoomTexts } from './room-texts.ts';
import type { RoomViews } from './room-views.ts';

/** All methods fail with `not_found` where the actor may not know the room, and with `forbidden` where they may not act. */
export interface RoomService {
  readonly get: (actor: Actor, roomId: string) => Promise<Room>;
  /** @throws Failure `invalid`, `message_blocked` */
  readonly update: (actor: Actor, roomId: string, changes: RoomChanges) => Promise<Room>;
  readonly remove: (actor: Actor, roomId: string) => Promise<void>;
}

export function createRoomService({
  eventLog,
  access: { follow, followToRead },
  views,
  requireTexts,
  recordAct,
}: {
  eventLog: EventLog;
  access: RoomAccess;
  views: RoomViews;
  requireTexts: RequireRoomTexts;
  recordAct: RecordAct;
}): RoomService {
  async function get(actor: Actor, roomId: string): Promise<Room> {
    return views.describe(await followToRead(actor, roomId), actor.userId);
  }

  async function update(actor: Actor, roomId: string, changes: RoomChanges): Promise<Room> {
    const feed = await follow(roomId);
    feed.state.require(actor, 'change_room');
    await requireTexts(actor, changes, roomId);
    await eventLog.transact(roomId, (context) => planChange(context, { actor, roomId, changes }, recordAct));
    return readAfterCommit(views.describe(feed, actor.userId));
  }

  async function remove(actor: Actor, roomId: string): Promise<void> {
    (await follow(roomId)).state.require(actor, 'delete_room');
    await eventLog.transact(roomId, (context) => planDeletion(context, { actor, roomId }, recordAct));
  }

  return { get, update, remove };
}

async function planChange(
  { tx, state, nextSeq }: AppendContext,
  { actor, roomId, changes }: { actor: Actor; roomId: string; changes: RoomChanges },
  recordAct: RecordAct,
): Promise<AppendPlan<undefined>> {
  state.require(actor, 'change_room');
  if (state.settings.kind === 'dm') throw new Failure('forbidden', 'a direct message has no settings');
  const act = { action: 'room.update', actorId: actor.userId, roomId };
  if (changesNothing(state.settings, changes)) {
    // The answer shows the room, so staff who have not opened it leave an entry in the audit log all the same.
    if (state.standingOf(actor) === 'staff') await recordAct(tx, act);
    return { events: [], answer: undefined };
  }
  await updateRoom(tx, roomId, changes);
  await recordAct(tx, { ...act, details: describeChanges(changes) });
  const room = { ...state.settings, ...changes, seq: nextSeq, memberCount: state.members.size };
  const event = { type: 'room.updated', actorId: actor.userId, data: { room, by: actor.userId } };
  return { events: [event], answer: undefined };
}

async function planDeletion(
  { tx, state, nextSeq }: AppendContext,
  { actor, roomId }: { actor: Actor; roomId: string },
  recordAct: RecordAct,
): Promise<AppendPlan<undefined>> {
  state.require(actor, 'delete_room');
  await recordAct(tx, { action: 'room.delete', actorId: actor.userId, roomId });
  await deleteRoom(tx, roomId, nextSeq);
  return { events: [{ type: 'room.deleted', actorId: actor.userId, data: { by: actor.userId } }], answer: undefined };
}

function changesNothing(before: RoomChanges, changes: RoomChanges): boolean {
  return (Object.keys(changes) as (keyof RoomChanges)[]).every((key) => before[key] === changes[key]);
}

/** For the audit log, which holds no texts: it says that a name or topic changed, not to what. */
export function describeChanges({ name, topic, ...settings }: RoomChanges): Record<string, unknown> {
  const texts = [...(name === undefined ? [] : ['name']), ...(topic === undefined ? [] : ['topic'])];
  return { ...settings, ...(texts.length > 0 ? { texts } : {}) };
}

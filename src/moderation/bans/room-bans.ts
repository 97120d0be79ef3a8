/** Bans users from a room, inside a transaction of the room's log: the ban and the end of a membership are one step. */
import type { AppendContext, DraftEvent, EventLog } from '../../chat/events/event-log.ts';
import { endMembership } from '../../chat/membership/member-departure.ts';
import { requireHigherRank } from '../../chat/membership/member-rules.ts';
import { lockEntry } from '../../chat/membership/room-ban-repository.ts';
import type { RoomAccess } from '../../chat/rooms/room-access.ts';
import type { RecordAct } from '../../chat/state/moderator-acts.ts';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { banAct } from './ban-act.ts';
import { replaceBan } from './ban-repository.ts';

export interface RoomBanOrder {
  readonly actor: Caller;
  readonly roomId: string;
  readonly userId: string;
  /** Undefined: until it is lifted. */
  readonly seconds: number | undefined;
  readonly reason: string | undefined;
}

export interface RoomBans {
  /**
   * Bans as a part of the caller's transaction of the room's log. Call `finish` once that is committed.
   * @returns the events for its plan
   * @throws Failure `forbidden`
   */
  readonly banInside: (context: AppendContext, order: RoomBanOrder) => Promise<DraftEvent[]>;
  /** After the commit: ends a membership that began while the ban was being stored, and stops watching. */
  readonly finish: (order: Pick<RoomBanOrder, 'actor' | 'roomId' | 'userId'>) => Promise<void>;
}

export function createRoomBans({
  follow,
  eventLog,
  onRoomBan,
  recordAct,
}: {
  follow: RoomAccess['follow'];
  eventLog: EventLog;
  /** Tells every instance to look for watchers who are banned now. */
  onRoomBan: () => void;
  recordAct: RecordAct;
}): RoomBans {
  async function banInside(context: AppendContext, order: RoomBanOrder): Promise<DraftEvent[]> {
    const { actor, roomId, userId, seconds, reason } = order;
    const { tx, state } = context;
    if (state.settings.kind === 'dm') throw new Failure('forbidden', 'nobody is banned from a direct message');
    const standing = state.require(actor, 'moderate');
    const target = state.members.get(userId);
    requireHigherRank(standing, target);
    const lock = await lockEntry(tx, roomId, userId);
    await replaceBan(tx, lock, { createdBy: actor.userId, seconds, reason });
    await recordAct(tx, banAct(order));
    return target ? endMembership(context, { roomId, userId, by: actor.userId, reason: 'banned' }) : [];
  }

  async function finish({ actor, roomId, userId }: Pick<RoomBanOrder, 'actor' | 'roomId' | 'userId'>): Promise<void> {
    onRoomBan();
    // A user who joined after the transaction had looked at the room, and before the ban, is a member until now.
    const { state } = await follow(roomId);
    if (!state.members.has(userId)) return;
    await eventLog.transact(roomId, async (context) => ({
      events: context.state.members.has(userId)
        ? await endMembership(context, { roomId, userId, by: actor.userId, reason: 'banned' })
        : [],
      answer: undefined,
    }));
  }

  return { banInside, finish };
}

/**
 * Opens a private room to one member of staff who is not a member of the room: with a reason, for a limited time, recorded in the
 * audit log, and announced to the room's owners.
 */
import { sql } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { RoomAccess } from '../../chat/rooms/room-access.ts';
import { openRoomAction } from '../../chat/rooms/staff-access-repository.ts';
import type { RecordAct } from '../../chat/state/moderator-acts.ts';
import type { Database } from '../../database/connect.ts';
import { Failure, invalid } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { requireLine } from '../../http/input/line-text.ts';
import { requireDeployment } from '../../permissions.ts';
import { lockAccount } from '../../user/account/account-lock.ts';

export interface StaffAccessGrant {
  readonly id: string;
  readonly roomId: string;
  readonly reason: string;
  /** RFC 3339, Postgres' clock. */
  readonly createdAt: string;
  readonly expiresAt: string;
}

export interface StaffAccessService {
  /**
   * Lets the caller read the room for so many seconds from now.
   * @throws Failure `forbidden` for callers who are not staff, `not_found` for an unknown room or a direct message,
   *   `invalid` for an empty reason or too long a time
   */
  readonly open: (
    caller: Caller,
    order: { roomId: string; reason: string; seconds: number },
  ) => Promise<StaffAccessGrant>;
}

/** Code points of a reason. */
const reasonMax = 1000;

export function createStaffAccessService({
  db,
  follow,
  signalUser,
  recordAct,
  settings,
}: {
  db: Database;
  follow: RoomAccess['follow'];
  /** Sends a frame to all connections of a user. */
  signalUser: (userId: string, json: string) => void;
  recordAct: RecordAct;
  settings: {
    /** Milliseconds. */
    readonly accessMax: number;
  };
}): StaffAccessService {
  async function open(
    caller: Caller,
    order: { roomId: string; reason: string; seconds: number },
  ): Promise<StaffAccessGrant> {
    requireDeployment(caller, 'moderate');
    const { roomId, seconds } = order;
    const reason = requireLine(order.reason, '/reason', { max: reasonMax });
    if (seconds * 1000 > settings.accessMax) throw invalid('/seconds', `at most ${settings.accessMax / 1000}`);
    const { state } = await follow(roomId);
    // Direct messages are never opened: staff see only their messages that were reported or flagged.
    if (state.deleted || state.settings.kind === 'dm') throw new Failure('not_found', 'no such room');
    const access = await record(caller, { roomId, reason, seconds });
    const { id: _id, ...told } = access;
    const notice = {
      type: 'notice',
      code: 'room_access',
      message: 'a member of staff has opened this room to read it',
      ...told,
    };
    for (const [userId, { role }] of state.members)
      if (role === 'owner') signalUser(userId, JSON.stringify({ ...notice, by: caller.userId }));
    return access;
  }

  async function record(
    caller: Caller,
    { roomId, reason, seconds }: { roomId: string; reason: string; seconds: number },
  ): Promise<StaffAccessGrant> {
    return db.transaction(async (tx) => {
      await lockAccount(tx, caller.userId);
      const [time] = await tx.execute<{ now: string; until: string }>(sql`
        select now()::text as now, (now() + ${seconds} * interval '1 second')::text as until`);
      const [createdAt, expiresAt] = [new Date(time!.now).toISOString(), new Date(time!.until).toISOString()];
      const id = uuidv7();
      const details = { accessId: id, reason, seconds, expiresAt };
      await recordAct(tx, { action: openRoomAction, actorId: caller.userId, roomId, details });
      return { id, roomId, reason, createdAt, expiresAt };
    });
  }

  return { open };
}

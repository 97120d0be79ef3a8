/** Where a caller may moderate: everywhere as the deployment's staff, in a room as its owner or moderator. */
import type { RoomService } from '../../chat/rooms/room-service.ts';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { requireDeployment } from '../../permissions.ts';

export interface Scope {
  /** Undefined: all rooms. */
  readonly roomId: string | undefined;
  /** The first seq of the room that this moderator may read; 1 for all rooms. */
  readonly from: number;
}

export interface ModeratorAccess {
  /**
   * @throws Failure `not_found` for a room that the caller may not know of, `forbidden` for one where they are no moderator,
   * or for all rooms when they are not of the staff
   */
  readonly require: (caller: Caller, roomId: string | undefined) => Promise<Scope>;
}

export function isStaff({ role }: Pick<Caller, 'role'>): boolean {
  return role === 'moderator' || role === 'admin';
}

export function createModeratorAccess(follow: RoomService['follow']): ModeratorAccess {
  return {
    require: async (caller, roomId) => {
      if (roomId === undefined) {
        requireDeployment(caller, 'moderate');
        return { roomId, from: 1 };
      }
      const { state } = await follow(roomId);
      if (state.deleted) throw new Failure('not_found', 'no such room');
      // Nobody moderates a direct message but the staff, and it sees of one only what was reported or flagged.
      if (state.settings.kind === 'dm' && isStaff(caller)) return { roomId, from: 1 };
      state.require(caller, 'moderate');
      return { roomId, from: state.readableFrom(caller.userId) };
    },
  };
}

/** Where a caller may moderate: staff everywhere, owners and moderators of a room in that room. */
import type { RoomAccess } from '../../chat/rooms/room-access.ts';
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
   * @param roomId undefined for all rooms
   * @throws Failure `not_found` for a room that the caller may not know, `forbidden` for a room where they are no moderator,
   * or for all rooms if they are not staff
   */
  readonly require: (caller: Caller, roomId: string | undefined) => Promise<Scope>;
}

/** Moderators and admins of the deployment. */
export function isStaff({ role }: Pick<Caller, 'role'>): boolean {
  return role === 'moderator' || role === 'admin';
}

export function createModeratorAccess(follow: RoomAccess['follow']): ModeratorAccess {
  return {
    require: async (caller, roomId) => {
      if (roomId === undefined) {
        requireDeployment(caller, 'moderate');
        return { roomId, from: 1 };
      }
      const { state } = await follow(roomId);
      if (state.deleted) throw new Failure('not_found', 'no such room');
      // Only staff moderate direct messages, and they see only messages that were reported or flagged.
      if (state.settings.kind === 'dm' && isStaff(caller)) return { roomId, from: 1 };
      state.require(caller, 'moderate');
      return { roomId, from: state.isMember(caller.userId) ? state.readableFrom(caller.userId) : 1 };
    },
  };
}

/**
 * Answers for something that the caller may not see as if it did not exist.
 * @param access the check of the caller's authority
 * @param isHidden which of its failures must not tell the two apart
 */
export async function hideFailure<Result>(
  access: Promise<Result>,
  isHidden: (failure: Failure) => boolean,
  notFound: () => Failure,
): Promise<Result> {
  try {
    return await access;
  } catch (error) {
    throw error instanceof Failure && isHidden(error) ? notFound() : error;
  }
}

/**
 * What a block prevents. For the blocked user, the blocker does not exist: the blocked user cannot start a conversation with
 * them, post or show typing in a conversation of the two, add them to a room, or mention them. All of these check here.
 *
 * Rooms with more members go on: their messages reach everybody. Signals such as typing, and mentions, do not reach a blocker.
 */
import { Failure, type InputPath } from '../../errors.ts';
import type { BlockLookup } from '../../user/blocks/block-lookup.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { Actor, RoomState } from '../state/room-state.ts';

export interface Contact {
  /** @throws Failure `not_found` for the first user who does not exist or blocks the actor; the answer is the same for both */
  readonly requirePeople: (actor: Actor, userIds: readonly string[], path: InputPath) => Promise<void>;
  /** @throws Failure `not_found` in a conversation of two whose other member blocks this user */
  readonly requireConversation: (state: RoomState, userId: string) => Promise<void>;
  /** The people who do not block `userId`, in the given order. */
  readonly withoutBlockers: (userId: string, people: readonly string[]) => Promise<string[]>;
  /** The users who must not see that this user types; undefined: nobody may see it. */
  readonly hiddenFrom: (userId: string) => Promise<readonly string[] | undefined>;
}

export function createContact({ blocks, profiles }: { blocks: BlockLookup; profiles: Profiles }): Contact {
  async function requirePeople(actor: Actor, userIds: readonly string[], path: InputPath): Promise<void> {
    const [known, reachable] = await Promise.all([profiles.byIds(userIds), withoutBlockers(actor.userId, userIds)]);
    const willing = new Set(reachable);
    const missing = userIds.find((id) => !known.has(id) || !willing.has(id));
    if (missing === undefined) return;
    throw new Failure('not_found', 'no such user', { errors: [{ path, message: `no user ${missing}` }] });
  }

  async function requireConversation(state: RoomState, userId: string): Promise<void> {
    if (!isPair(state)) return;
    const other = [...state.members.keys()].find((id) => id !== userId);
    if (other !== undefined && (await blocks.isBlocked({ by: other, blockedId: userId })))
      throw new Failure('not_found', 'no such room');
  }

  async function withoutBlockers(userId: string, people: readonly string[]): Promise<string[]> {
    const blocked = await Promise.all(people.map((by) => by !== userId && blocks.isBlocked({ by, blockedId: userId })));
    return people.filter((_, index) => !blocked[index]);
  }

  return { requirePeople, requireConversation, withoutBlockers, hiddenFrom: blocks.blockersOf };
}

/** Whether the room is a direct message of two. */
export function isPair({ settings, members }: RoomState): boolean {
  return settings.kind === 'dm' && members.size === 2;
}

/**
 * Whom a person may reach. To somebody who is blocked, the one who blocks them is absent: they cannot begin a conversation with
 * them, say or show anything in a conversation of the two, add them to a room or mention them. Every act of this kind asks here.
 *
 * A room of several people goes on whoever blocks whom: its messages reach all members. What carries no seq, such as typing,
 * and mentions do not reach the one who blocks.
 */
import { Failure, type InputPath } from '../../errors.ts';
import type { BlockLookup } from '../../user/blocks/block-lookup.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { Actor, RoomState } from '../state/room-state.ts';

export interface Contact {
  /** @throws Failure `not_found` for the first who is absent or blocks the actor: both answer alike */
  readonly requirePeople: (actor: Actor, userIds: readonly string[], path: InputPath) => Promise<void>;
  /** @throws Failure `not_found` in a conversation of two whose other person blocks this one */
  readonly requireConversation: (state: RoomState, userId: string) => Promise<void>;
  /** Those of the people who do not block `userId`, in their order. */
  readonly withoutBlockers: (userId: string, people: readonly string[]) => Promise<string[]>;
  /** Who is not shown that this person types; undefined: nobody is. */
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

/** A conversation of two alone. */
export function isPair({ settings, members }: RoomState): boolean {
  return settings.kind === 'dm' && members.size === 2;
}

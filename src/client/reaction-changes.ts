/** How events change the reactions of a message. */
import type { Reaction, ReactionChange } from './types.ts';

/** The server names the first people of each reaction, and counts the others. */
const namedMax = 20;

export interface ReactionsAfter {
  readonly reactions: readonly Reaction[];
  /** The event does not tell all of it: the message is to be read again. */
  readonly incomplete: boolean;
}

/** @param again the reactions were read at an unknown time, so that they may contain the change already */
export function addReaction(
  before: readonly Reaction[],
  { emoji, userId }: ReactionChange,
  again: boolean,
): ReactionsAfter {
  const present = before.find((each) => each.emoji === emoji);
  if (!present) return { reactions: [...before, { emoji, count: 1, userIds: [userId] }], incomplete: false };
  if (present.userIds.includes(userId)) return { reactions: before, incomplete: false };
  const isNamed = present.userIds.length < namedMax;
  if (!isNamed && again) return { reactions: before, incomplete: true };
  const userIds = isNamed ? [...present.userIds, userId] : present.userIds;
  return { reactions: replace(before, { emoji, count: present.count + 1, userIds }), incomplete: false };
}

/** @param again as in `addReaction` */
export function removeReaction(
  before: readonly Reaction[],
  { emoji, userId }: ReactionChange,
  again: boolean,
): ReactionsAfter {
  const present = before.find((each) => each.emoji === emoji);
  if (!present) return { reactions: before, incomplete: false };
  const hasUnnamed = present.count > present.userIds.length;
  const userIds = present.userIds.filter((id) => id !== userId);
  const wasNamed = userIds.length < present.userIds.length;
  if (!wasNamed && (again || !hasUnnamed)) return { reactions: before, incomplete: hasUnnamed };
  if (present.count === 1) return { reactions: before.filter((each) => each !== present), incomplete: false };
  // The next person moves up among those who are named, and the emoji may move behind others.
  const incomplete = wasNamed && (hasUnnamed || (before.length > 1 && present.userIds[0] === userId));
  return { reactions: replace(before, { emoji, count: present.count - 1, userIds }), incomplete };
}

function replace(reactions: readonly Reaction[], changed: Reaction): readonly Reaction[] {
  return reactions.map((each) => (each.emoji === changed.emoji ? changed : each));
}

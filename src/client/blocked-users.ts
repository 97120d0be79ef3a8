/** Whom the user blocks: when these people mention everybody, it does not count. */
import type { BlockChange } from './types.ts';

/** The users that the user blocks after one was blocked or unblocked. */
export function afterBlock(blocked: Iterable<string>, { userId, blocked: isBlocked }: BlockChange): string[] {
  const others = [...blocked].filter((id) => id !== userId);
  return isBlocked ? [...others, userId] : others;
}

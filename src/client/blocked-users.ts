/** The users that the user blocks. When they mention everybody, it does not count as a mention. */
import type { BlockChange } from './types.ts';

/** The users that the user blocks after one was blocked or unblocked. */
export function afterBlock(blocked: Iterable<string>, { userId, blocked: isBlocked }: BlockChange): string[] {
  const others = [...blocked].filter((id) => id !== userId);
  return isBlocked ? [...others, userId] : others;
}

/** Ends a membership inside a transaction of the room's log, and promotes a new owner when the last one leaves. */
import type { Transaction } from '../../database/connect.ts';
import type { MemberRole } from '../../permissions.ts';
import type { AppendContext, DraftEvent } from '../events/event-log.ts';
import type { RoomState } from '../state/room-state.ts';
import { deleteMember, type MemberKey, updateRole } from './member-repository.ts';

/**
 * Ends the membership of a member.
 * @param by the user who acts
 * @returns the events that say so, for the plan of the transaction
 */
export async function endMembership(
  { tx, state, nextSeq }: AppendContext,
  { roomId, userId, by, reason }: MemberKey & { by: string; reason: 'left' | 'removed' | 'banned' },
): Promise<DraftEvent[]> {
  const member = state.members.get(userId);
  const mutedUntil = member && member.mutedUntil > 0 ? new Date(member.mutedUntil) : null;
  await deleteMember(tx, { roomId, userId }, { reason, seq: nextSeq, mutedUntil });
  const left = { type: 'member.left', actorId: by, data: { userId, by, reason } };
  if (member?.role !== 'owner') return [left];
  return [left, ...(await promote(tx, state, { succession: findSuccession(state, userId), roomId, by }))];
}

/** What becomes of a room's ownership when one of its owners leaves or steps down. */
export type Succession =
  /** There is another owner, or the room has none by nature: a direct message. */
  | { readonly kind: 'none_needed' }
  | { readonly kind: 'promote'; readonly userId: string }
  | { readonly kind: 'nobody_left' };

/** The longest-standing moderator follows the last owner; without a moderator, the longest-standing member. */
export function findSuccession(state: RoomState, leavingId: string): Succession {
  if (state.settings.kind === 'dm') return { kind: 'none_needed' };
  const others = [...state.members].filter(([id]) => id !== leavingId);
  if (others.some(([, member]) => member.role === 'owner')) return { kind: 'none_needed' };
  const longestStanding = (role: MemberRole) =>
    others
      .filter(([, member]) => member.role === role)
      .sort(([, left], [, right]) => left.joinedSeq - right.joinedSeq)[0]?.[0];
  const userId = longestStanding('moderator') ?? longestStanding('member');
  return userId === undefined ? { kind: 'nobody_left' } : { kind: 'promote', userId };
}

/** Carries out a succession. @returns the event that says so, or none */
export async function promote(
  tx: Transaction,
  state: RoomState,
  { roomId, succession, by }: { roomId: string; succession: Succession; by: string },
): Promise<DraftEvent[]> {
  if (succession.kind !== 'promote') return [];
  const { userId } = succession;
  await updateRole(tx, { roomId, userId }, 'owner');
  const { mutedUntil } = state.members.get(userId)!;
  return [memberUpdated({ userId, role: 'owner', mutedUntil, by })];
}

/** The event `member.updated`. @param mutedUntil milliseconds since the epoch; 0: not muted */
export function memberUpdated({
  userId,
  role,
  mutedUntil,
  by,
}: {
  userId: string;
  role: MemberRole;
  mutedUntil: number;
  by: string;
}): DraftEvent {
  const data = { userId, role, by, mutedUntil: mutedUntil > 0 ? new Date(mutedUntil).toISOString() : null };
  return { type: 'member.updated', actorId: by, data };
}

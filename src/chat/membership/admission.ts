/** Adds a member inside the transaction that appends `member.joined`, whether they join, accept an invite, or are added. */
import { Failure } from '../../errors.ts';
import type { MemberRole } from '../../permissions.ts';
import type { AppendContext, DraftEvent } from '../events/event-log.ts';
import { findMuteOfFormerMember, insertMember, type MemberKey } from './member-repository.ts';
import { lockEntry, requireNotBanned } from './room-ban-repository.ts';

/**
 * @param by the user who acts: the new member, when they join or accept an invite
 * @returns the event to append
 * @throws Failure `banned`, or `conflict` when the room is full
 */
export async function admitMember(
  { tx, state, nextSeq }: AppendContext,
  { roomId, userId, role, by }: MemberKey & { role: MemberRole; by: string },
  { membersMax }: { membersMax: number },
): Promise<DraftEvent> {
  if (state.members.size >= membersMax) throw new Failure('conflict', 'the room is full');
  const lock = await lockEntry(tx, roomId, userId);
  await requireNotBanned(tx, roomId, userId);
  const mutedUntil = await findMuteOfFormerMember(tx, lock);
  await insertMember(tx, lock, { role, joinedSeq: nextSeq, mutedUntil });
  const muted = mutedUntil === null ? {} : { mutedUntil: mutedUntil.toISOString() };
  return { type: 'member.joined', actorId: by, data: { userId, role, by, ...muted } };
}

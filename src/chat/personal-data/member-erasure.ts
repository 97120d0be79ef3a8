/** Ends the membership of an erased user: in direct messages too, and with the texts of a room that was theirs alone. */
import type { AppendContext, AppendPlan } from '../events/event-log.ts';
import { endMembership } from '../membership/member-departure.ts';
import type { MemberKey } from '../membership/member-repository.ts';
import { scrubRoom } from './chat-personal-data-repository.ts';

/** For `EventLog.transact`. Running it again changes nothing. */
export async function eraseMember(
  context: AppendContext,
  { roomId, userId }: MemberKey,
): Promise<AppendPlan<undefined>> {
  const { tx, state } = context;
  const events = state.members.has(userId)
    ? await endMembership(context, { roomId, userId, by: userId, reason: 'left' })
    : [];
  const isAlone = [...state.members.keys()].every((id) => id === userId);
  if (isAlone && (await scrubRoom(tx, { roomId, userId })))
    events.push({ type: 'room.deleted', actorId: userId, data: { by: userId } });
  return { events, answer: undefined };
}

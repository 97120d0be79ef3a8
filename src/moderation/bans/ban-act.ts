/** The entry of the audit log for a ban. */
import type { ModeratorAct } from '../../chat/state/moderator-acts.ts';

export function banAct({
  actor,
  userId,
  roomId,
  seconds,
  reason,
}: {
  actor: { readonly userId: string };
  userId: string;
  /** Undefined: the whole deployment. */
  roomId: string | undefined;
  seconds: number | undefined;
  reason: string | undefined;
}): ModeratorAct {
  return {
    action: 'member.ban',
    actorId: actor.userId,
    targetId: userId,
    ...(roomId === undefined ? {} : { roomId }),
    details: { ...(seconds === undefined ? {} : { seconds }), ...(reason === undefined ? {} : { reason }) },
  };
}

/**
 * What a change of a membership writes and which events it appends. Each function is the work of one transaction of the
 * room's log (`EventLog.transact`): it may run again with a newer state, so it decides by the state alone.
 */
import { Failure } from '../../errors.ts';
import type { MemberRole } from '../../permissions.ts';
import type { AppendContext, AppendPlan } from '../events/event-log.ts';
import type { RecordAct } from '../state/moderator-acts.ts';
import type { Actor } from '../state/room-state.ts';
import { admitMember } from './admission.ts';
import { endMembership, findSuccession, memberUpdated, promote } from './member-departure.ts';
import { type MemberKey, updateMute, updateRole } from './member-repository.ts';
import { requireAdd, requireMember, requireMute, requireRemove, roleOfNewMember } from './member-rules.ts';

/** The actor of a change, its room, and the user whose membership changes. */
export interface MemberChange extends MemberKey {
  readonly actor: Actor;
}

const noChange = { events: [], answer: undefined } as const;

/** @returns the plan; its answer says whether the user is a new member */
export async function planJoin(
  context: AppendContext,
  { actor, roomId, userId }: MemberChange,
  role: MemberRole | undefined,
  bounds: { membersMax: number },
): Promise<AppendPlan<boolean>> {
  const { state } = context;
  requireAdd(state, actor, userId, role);
  if (state.members.has(userId)) return { events: [], answer: false };
  const member = { roomId, userId, role: roleOfNewMember(state, actor, role), by: actor.userId };
  return { events: [await admitMember(context, member, bounds)], answer: true };
}

/** A last owner who steps down is followed by a successor. @throws Failure `conflict` when there is none */
export async function planRoleChange(
  { tx, state }: AppendContext,
  { actor, roomId, userId }: MemberChange,
  role: MemberRole,
  recordAct: RecordAct,
): Promise<AppendPlan<undefined>> {
  const target = requireMember(state, actor, userId);
  if (target.role === role) return noChange;
  state.require(actor, 'change_role');
  const by = actor.userId;
  const succession = target.role === 'owner' ? findSuccession(state, userId) : ({ kind: 'none_needed' } as const);
  if (succession.kind === 'nobody_left') throw new Failure('conflict', 'a room needs an owner');
  await updateRole(tx, { roomId, userId }, role);
  if (userId !== by)
    await recordAct(tx, {
      action: 'member.role',
      actorId: by,
      roomId,
      targetId: userId,
      details: { from: target.role, to: role },
    });
  const updated = memberUpdated({ userId, role, mutedUntil: target.mutedUntil, by });
  return { events: [updated, ...(await promote(tx, state, { roomId, succession, by }))], answer: undefined };
}

/** Leaving, or being removed. */
export async function planRemoval(
  context: AppendContext,
  { actor, roomId, userId }: MemberChange,
  recordAct: RecordAct,
): Promise<AppendPlan<undefined>> {
  const { tx, state } = context;
  requireRemove(state, actor, userId);
  if (!state.members.has(userId)) return noChange;
  const by = actor.userId;
  const reason = userId === by ? 'left' : 'removed';
  if (reason === 'removed') await recordAct(tx, { action: 'member.remove', actorId: by, roomId, targetId: userId });
  return { events: await endMembership(context, { roomId, userId, by, reason }), answer: undefined };
}

/** @param seconds from now; 0 unmutes */
export async function planMute(
  { tx, state }: AppendContext,
  { actor, roomId, userId }: MemberChange,
  seconds: number,
  recordAct: RecordAct,
): Promise<AppendPlan<undefined>> {
  const { role, mutedUntil: before } = requireMute(state, actor, userId);
  const mutedUntil = await updateMute(tx, { roomId, userId }, seconds);
  if (seconds === 0 && before === 0) return noChange;
  const by = actor.userId;
  await recordAct(tx, {
    action: seconds > 0 ? 'member.mute' : 'member.unmute',
    actorId: by,
    roomId,
    targetId: userId,
    details: seconds > 0 ? { seconds } : {},
  });
  return { events: [memberUpdated({ userId, role, mutedUntil: mutedUntil?.getTime() ?? 0, by })], answer: undefined };
}

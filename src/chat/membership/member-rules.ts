/**
 * Decides who may change a membership. Pure: a function of the room's state. Every change is checked twice, before its
 * transaction and inside it, where the state is that of the seq before.
 */
import { Failure } from '../../errors.ts';
import { type MemberRole, outranks, type Standing } from '../../permissions.ts';
import type { Actor, MemberState, RoomState } from '../state/room-state.ts';

/**
 * May the actor make this user a member, or see them as one? Every user may join a public room; to a private room, members
 * with the right to do so add them.
 * @param role that the actor asks for
 * @throws Failure `not_found` where the actor may not know the room, `forbidden`
 */
export function requireAdd(state: RoomState, actor: Actor, userId: string, role: MemberRole | undefined): void {
  const isMember = state.members.has(userId);
  if (state.settings.kind === 'dm' && !isMember) {
    state.require(actor, 'read');
    throw new Failure('forbidden', 'the members of a direct message do not change');
  }
  const asksForMore = role !== undefined && role !== 'member';
  if (userId === actor.userId) {
    if (isMember) return;
    if (!state.isPublic()) throw new Failure('not_found', 'no such room');
    if (asksForMore) throw new Failure('forbidden', 'users who join by themselves become members');
    return;
  }
  state.require(actor, isMember ? 'read' : 'add_member');
  if (asksForMore && !isMember) state.require(actor, 'change_role');
}

/** The role of a new member. The first to come into an empty room owns it, unless a server adds them. */
export function roleOfNewMember(state: RoomState, actor: Actor, role: MemberRole | undefined): MemberRole {
  if (role !== undefined) return role;
  const isFirst = state.members.size === 0 && state.settings.kind === 'room';
  return isFirst && actor.role !== 'server' ? 'owner' : 'member';
}

/**
 * May the actor end this user's membership? Everybody may end their own.
 * @throws Failure `not_found` where the actor may not know the room, `forbidden`
 */
export function requireRemove(state: RoomState, actor: Actor, userId: string): void {
  state.requireKnown(actor);
  if (state.settings.kind === 'dm') throw new Failure('forbidden', 'nobody leaves a direct message');
  if (userId === actor.userId) return;
  requireHigherRank(state.require(actor, 'remove_member'), state.members.get(userId));
}

/** May the actor mute and unmute this member? @throws Failure `not_found`, `forbidden` */
export function requireMute(state: RoomState, actor: Actor, userId: string): MemberState {
  const standing = state.require(actor, 'mute');
  const target = requireMember(state, actor, userId);
  requireHigherRank(standing, target);
  return target;
}

/** @throws Failure `not_found` for a user who is not a member, and where the actor may not know the room */
export function requireMember(state: RoomState, actor: Actor, userId: string): MemberState {
  state.requireKnown(actor);
  const member = state.members.get(userId);
  if (!member) throw new Failure('not_found', 'no such member');
  return member;
}

/** Moderators act on members below them only. @throws Failure `forbidden` */
export function requireHigherRank(standing: Standing, target: MemberState | undefined): void {
  if (target && !outranks(standing, target.role))
    throw new Failure('forbidden', 'the member has the same or a higher role');
}

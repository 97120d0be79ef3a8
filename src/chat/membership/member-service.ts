/** The members of a room: lists them, lets users join and leave, and carries out what moderators do to members. */
import type { Database, Sql } from '../../database/connect.ts';
import { readAfterCommit } from '../../database/database-errors.ts';
import { Failure } from '../../errors.ts';
import type { MemberRole } from '../../permissions.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import type { EventLog } from '../events/event-log.ts';
import { unknownProfile } from '../state/message-shape.ts';
import type { RecordAct } from '../state/moderator-acts.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import type { Contact } from './contact.ts';
import { planJoin, planMute, planRemoval, planRoleChange } from './member-changes.ts';
import { findMemberRow, listMemberRows, type MemberRow, wasEverMember } from './member-repository.ts';
import { requireAdd, requireRemove } from './member-rules.ts';
import { completeNames } from './name-completion-repository.ts';

export interface Member {
  readonly user: PublicProfile;
  readonly role: MemberRole;
  /** RFC 3339. */
  readonly joinedAt: string;
  /** RFC 3339; null: not muted. */
  readonly mutedUntil: string | null;
}

/** All methods fail with `not_found` where the actor may not know the room, and with `forbidden` where they may not act. */
export interface MemberService {
  /** Members by user id. @param after the last user id of the page before */
  readonly list: (actor: Actor, roomId: string, after: string | undefined, limit: number) => Promise<Member[]>;
  /** Members whose username or a word of whose display name begins so: those who wrote last first. */
  readonly complete: (actor: Actor, roomId: string, query: string, limit: number) => Promise<Member[]>;
  /** Joins, adds, or changes a role; repeating it changes nothing. @throws Failure `banned`, `conflict` when the room is full */
  readonly put: (actor: Actor, roomId: string, userId: string, role?: MemberRole) => Promise<Member>;
  /** @throws Failure `conflict` when the room would have no owner */
  readonly changeRole: (actor: Actor, roomId: string, userId: string, role: MemberRole) => Promise<Member>;
  /** Leaves or removes; leaving twice answers the same. */
  readonly remove: (actor: Actor, roomId: string, userId: string) => Promise<void>;
  /** @param seconds from now; 0 unmutes */
  readonly mute: (actor: Actor, roomId: string, userId: string, seconds: number) => Promise<Member>;
}

export interface MemberServiceParts {
  readonly db: Database;
  readonly sql: Sql;
  readonly follow: (roomId: string) => Promise<Feed<RoomState>>;
  readonly followToRead: (actor: Actor, roomId: string) => Promise<Feed<RoomState>>;
  readonly eventLog: EventLog;
  readonly hub: Hub<RoomState>;
  readonly profiles: Profiles;
  readonly contact: Contact;
  readonly recordAct: RecordAct;
  readonly settings: { readonly membersMax: number };
}

export function createMemberService(parts: MemberServiceParts): MemberService {
  const { db, sql, follow, followToRead, eventLog, hub, profiles, contact, recordAct, settings } = parts;

  async function list(actor: Actor, roomId: string, after: string | undefined, limit: number): Promise<Member[]> {
    await followToRead(actor, roomId);
    return describe(await listMemberRows(sql, roomId, after, limit));
  }

  async function complete(actor: Actor, roomId: string, query: string, limit: number): Promise<Member[]> {
    const { state } = await followToRead(actor, roomId);
    return describe(
      await completeNames(db, { roomId, query: query.replace(/^@/, ''), limit, memberCount: state.members.size }),
    );
  }

  async function describe(rows: readonly MemberRow[]): Promise<Member[]> {
    const people = await profiles.byIds(rows.map((row) => row.userId));
    return rows.map(({ userId, ...row }) => ({ user: people.get(userId) ?? unknownProfile(userId), ...row }));
  }

  async function find(roomId: string, userId: string): Promise<Member> {
    const row = await findMemberRow(db, { roomId, userId }, eventLog.nowMs());
    if (!row) throw new Failure('not_found', 'no such member');
    const people = await profiles.byIds([userId]);
    const { userId: _id, ...member } = row;
    return { user: people.get(userId) ?? unknownProfile(userId), ...member };
  }

  async function put(actor: Actor, roomId: string, userId: string, role?: MemberRole): Promise<Member> {
    const { state } = await follow(roomId);
    requireAdd(state, actor, userId, role);
    if (state.members.has(userId)) return role ? changeRole(actor, roomId, userId, role) : find(roomId, userId);
    if (userId !== actor.userId) await contact.requirePeople(actor, [userId], '/userId');
    const { answer: joined, seq } = await eventLog.transact(roomId, (context) =>
      planJoin(context, { actor, roomId, userId }, role, settings),
    );
    if (joined) hub.announceJoin({ userId, roomId, seq });
    return readAfterCommit(find(roomId, userId));
  }

  async function changeRole(actor: Actor, roomId: string, userId: string, role: MemberRole): Promise<Member> {
    await follow(roomId);
    await eventLog.transact(roomId, (context) => planRoleChange(context, { actor, roomId, userId }, role, recordAct));
    return readAfterCommit(find(roomId, userId));
  }

  async function remove(actor: Actor, roomId: string, userId: string): Promise<void> {
    const { state } = await follow(roomId);
    // A repeated request to leave succeeds: the answer to the first may have been lost.
    const hasLeft = userId === actor.userId && !state.isMember(userId) && (await wasEverMember(db, { roomId, userId }));
    if (hasLeft) return;
    requireRemove(state, actor, userId);
    await eventLog.transact(roomId, (context) => planRemoval(context, { actor, roomId, userId }, recordAct));
  }

  async function mute(actor: Actor, roomId: string, userId: string, seconds: number): Promise<Member> {
    (await follow(roomId)).state.require(actor, 'mute');
    await eventLog.transact(roomId, (context) => planMute(context, { actor, roomId, userId }, seconds, recordAct));
    return readAfterCommit(find(roomId, userId));
  }

  return { list, complete, put, changeRole, remove, mute };
}

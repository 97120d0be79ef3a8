/** Rooms and who is in them. What changes a room's log goes through the event log; lists and shapes are read. */
import { createHash } from 'node:crypto';
import { and, eq, sql } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { Database, Transaction } from '../../database/connect.ts';
import { isUniqueViolation, readAfterCommit } from '../../database/database-errors.ts';
import { events } from '../../database/tables/event-tables.ts';
import { members, membershipChanges, rooms } from '../../database/tables/room-tables.ts';
import { Failure, invalid } from '../../errors.ts';
import { type MemberRole, outranks } from '../../permissions.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import type { EventLog } from '../events/event-log.ts';
import { admitMember } from '../membership/admission.ts';
import type { Contact } from '../membership/contact.ts';
import { endMembership, findHeir, memberData, promote } from '../membership/member-departure.ts';
import { requireNotBanned } from '../membership/room-bans.ts';
import { unknownProfile } from '../state/message-shape.ts';
import type { RecordAct } from '../state/moderator-acts.ts';
import type { Actor, RoomSettings, RoomState } from '../state/room-state.ts';
import type { RoomRepository, RoomSummaryRow } from './room-repository.ts';
import type { StaffAccess } from './staff-access.ts';

export type Room = RoomSummaryRow;
export interface NewRoom {
  readonly name: string;
  readonly visibility: 'public' | 'private';
  readonly topic?: string;
  readonly history?: 'all' | 'joined';
  readonly slowModeSeconds?: number;
  readonly memberIds?: readonly string[];
  /** Of a room that another server makes, which is no member itself; without it the room has no owner. */
  readonly ownerId?: string;
}

export type RoomChanges = Partial<Pick<RoomSettings, 'name' | 'topic' | 'visibility' | 'history' | 'slowModeSeconds'>>;

export interface MemberView {
  readonly user: PublicProfile;
  readonly role: MemberRole;
  readonly joinedAt: string;
  readonly mutedUntil: string | null;
}

export interface RoomServiceSettings {
  readonly nameMax: number;
  readonly topicMax: number;
  readonly membersMax: number;
  readonly dmMembersMax: number;
}

/** Throws `message_blocked` for a name or topic that moderation refuses. */
export type JudgeText = (text: string, kind: 'name' | 'topic', actor: Actor, roomId?: string) => Promise<void>;

export interface RoomService {
  /** @param id of the room: the same again answers with the one that is there */
  readonly create: (actor: Actor, room: NewRoom, id: string) => Promise<Room>;
  /** @returns the one room of exactly these people and the caller, and whether it was made now */
  readonly directMessage: (actor: Actor, userIds: readonly string[]) => Promise<{ room: Room; created: boolean }>;
  readonly get: (actor: Actor, roomId: string) => Promise<Room>;
  readonly mine: RoomRepository['ownRooms'];
  readonly listPublic: (
    viewerId: string,
    query: string,
    after: { name: string; id: string } | undefined,
    limit: number,
  ) => Promise<Room[]>;
  readonly update: (actor: Actor, roomId: string, changes: RoomChanges) => Promise<Room>;
  readonly remove: (actor: Actor, roomId: string) => Promise<void>;
  readonly listMembers: (
    actor: Actor,
    roomId: string,
    after: string | undefined,
    limit: number,
  ) => Promise<MemberView[]>;
  /** Joins, adds, or changes a role; repeating it changes nothing. */
  readonly putMember: (actor: Actor, roomId: string, userId: string, role?: MemberRole) => Promise<MemberView>;
  readonly changeRole: (actor: Actor, roomId: string, userId: string, role: MemberRole) => Promise<MemberView>;
  readonly removeMember: (actor: Actor, roomId: string, userId: string) => Promise<void>;
  readonly mute: (actor: Actor, roomId: string, userId: string, seconds: number) => Promise<MemberView>;
  /** The room as this instance follows it, at its head as of now. @throws Failure not_found */
  readonly follow: (roomId: string) => Promise<Feed<RoomState>>;
  /**
   * The same for somebody who may read there. A room's bans are asked of Postgres for whoever has not joined: shut out of a
   * public room is less than outside of it.
   * @throws Failure `not_found`, `banned`
   */
  readonly followToRead: (actor: Actor, roomId: string) => Promise<Feed<RoomState>>;
  /** Names of rooms as this viewer sees them: a direct message is called by the others' names. */
  readonly nameFor: (room: { kind: 'room' | 'dm'; name: string }, others: readonly string[]) => Promise<string>;
  /** JSON of `room.joined` for a user. */
  readonly describeJoined: (roomId: string, userId: string) => Promise<string | undefined>;
}

export function createRoomService({
  db,
  repository,
  eventLog,
  hub,
  head,
  profiles,
  contact,
  staffAccess,
  judgeText,
  recordAct,
  settings,
}: {
  db: Database;
  repository: RoomRepository;
  eventLog: EventLog;
  hub: Hub<RoomState>;
  head: (roomId: string) => Promise<number>;
  profiles: Profiles;
  contact: Contact;
  staffAccess: StaffAccess;
  judgeText: JudgeText;
  recordAct: RecordAct;
  settings: RoomServiceSettings;
}): RoomService {
  async function follow(roomId: string): Promise<Feed<RoomState>> {
    const feed = await hub.feed(roomId);
    if (!feed) throw new Failure('not_found', 'no such room');
    // Every request sees what was acked before it began, on whatever instance.
    const position = await head(roomId);
    if (position > feed.position) await hub.catchUp(feed, position);
    return feed;
  }

  async function followToRead(actor: Actor, roomId: string): Promise<Feed<RoomState>> {
    const feed = await follow(roomId);
    if (feed.state.needsOpening(actor))
      feed.state.openTo(actor.userId, await staffAccess({ roomId, userId: actor.userId }));
    if (feed.state.require(actor, 'read') === 'outsider') await requireNotBanned(db, roomId, actor.userId);
    return feed;
  }

  function toRoom(feed: Feed<RoomState>): Room {
    const { settings: room, members: people } = feed.state;
    return { ...room, seq: feed.position, memberCount: people.size };
  }

  async function describe(feed: Feed<RoomState>, viewerId: string): Promise<Room> {
    const room = toRoom(feed);
    if (room.kind === 'room') return room;
    return {
      ...room,
      name: await nameFor(
        room,
        [...feed.state.members.keys()].filter((id) => id !== viewerId),
      ),
    };
  }

  async function nameFor(room: { kind: 'room' | 'dm'; name: string }, others: readonly string[]): Promise<string> {
    if (room.kind === 'room') return room.name;
    const people = await profiles.byIds(others);
    return others.map((id) => (people.get(id) ?? unknownProfile(id)).displayName).join(', ');
  }

  async function checkTexts(
    actor: Actor,
    { name, topic }: { name?: string; topic?: string },
    roomId?: string,
  ): Promise<void> {
    if (name !== undefined && [...name].length > settings.nameMax)
      throw invalid('/name', `at most ${settings.nameMax} characters`);
    if (topic !== undefined && [...topic].length > settings.topicMax)
      throw invalid('/topic', `at most ${settings.topicMax} characters`);
    if (name) await judgeText(name, 'name', actor, roomId);
    if (topic) await judgeText(topic, 'topic', actor, roomId);
  }

  async function create(actor: Actor, draft: NewRoom, id: string): Promise<Room> {
    await checkTexts(actor, draft);
    const ownerId = requireOwner(actor, draft.ownerId);
    const others = [...new Set(draft.memberIds ?? [])].filter((id) => id !== ownerId);
    if (others.length >= settings.membersMax) throw invalid('/memberIds', `at most ${settings.membersMax} members`);
    await contact.requirePeople(actor, others, '/memberIds');
    if (ownerId !== undefined && ownerId !== actor.userId) await contact.requirePeople(actor, [ownerId], '/ownerId');
    const room = {
      id,
      kind: 'room',
      name: draft.name,
      topic: draft.topic ?? '',
      visibility: draft.visibility,
      history: draft.history ?? 'all',
      slowModeSeconds: draft.slowModeSeconds ?? 0,
    } as const;
    try {
      await db.transaction((tx) => insertRoom(tx, { by: actor.userId, ownerId, others }, room));
    } catch (error) {
      // A repeat, after an answer that was lost or beside the first request.
      if (isUniqueViolation(error, 'rooms_pkey')) return get(actor, id);
      throw error;
    }
    announceMembers(id, ownerId === undefined ? others : [ownerId, ...others]);
    return readAfterCommit(describeNew(id, actor));
  }

  async function describeNew(roomId: string, actor: Actor): Promise<Room> {
    return describe(await follow(roomId), actor.userId);
  }

  /** People own what they make; a server says whose it is. */
  function requireOwner(actor: Actor, ownerId: string | undefined): string | undefined {
    if (actor.role === 'server') return ownerId;
    if (ownerId !== undefined && ownerId !== actor.userId)
      throw new Failure('forbidden', 'only a server makes rooms for others');
    return actor.userId;
  }

  function announceMembers(roomId: string, userIds: readonly string[]): void {
    for (const [index, userId] of userIds.entries()) hub.announceJoin({ userId, roomId, seq: index + 1 });
  }

  async function insertRoom(
    tx: Transaction,
    { by, ownerId, others }: { by: string; ownerId: string | undefined; others: readonly string[] },
    room: Omit<RoomSettings, 'createdAt'> & { dmKey?: Buffer },
  ): Promise<void> {
    await tx.insert(rooms).values({ ...room, createdBy: by });
    const ids = ownerId === undefined ? others : [ownerId, ...others];
    if (ids.length === 0) return;
    const people = ids.map((userId, index) => ({ roomId: room.id, userId, seq: index + 1 }));
    const roleOf = (userId: string): MemberRole => (room.kind === 'room' && userId === ownerId ? 'owner' : 'member');
    const at = sql`date_trunc('milliseconds', now())`;
    await tx
      .insert(members)
      .values(people.map(({ roomId, userId, seq }) => ({ roomId, userId, role: roleOf(userId), joinedSeq: seq })));
    await tx.insert(events).values(
      people.map(({ roomId, userId, seq }) => ({
        roomId,
        seq,
        type: 'member.joined',
        at,
        actorId: by,
        data: { userId, role: roleOf(userId), by },
      })),
    );
    await tx.insert(membershipChanges).values(people.map((person) => ({ ...person, kind: 'joined' as const })));
  }

  async function directMessage(actor: Actor, userIds: readonly string[]): Promise<{ room: Room; created: boolean }> {
    const others = [...new Set(userIds)].filter((id) => id !== actor.userId);
    if (others.length === 0) throw invalid('/userIds', 'name at least one other person');
    if (others.length >= settings.dmMembersMax)
      throw invalid('/userIds', `at most ${settings.dmMembersMax - 1} other people`);
    const dmKey = createHash('sha256')
      .update([actor.userId, ...others].sort().join(' '))
      .digest();
    const existing = await findDirectMessage(dmKey);
    // A conversation of several goes on whoever blocks whom; a new one is not begun against somebody's will.
    if (!existing || others.length === 1) await contact.requirePeople(actor, others, '/userIds');
    if (existing) return { room: await describe(await follow(existing), actor.userId), created: false };
    const id = uuidv7();
    const room = {
      id,
      kind: 'dm',
      name: '',
      topic: '',
      visibility: 'private',
      history: 'all',
      slowModeSeconds: 0,
      dmKey,
    } as const;
    try {
      await db.transaction((tx) => insertRoom(tx, { by: actor.userId, ownerId: actor.userId, others }, room));
    } catch (error) {
      // Both began the conversation at once: there is one room all the same.
      if (!isUniqueViolation(error, 'rooms_dm_key')) throw error;
      const first = await findDirectMessage(dmKey);
      if (!first) throw error;
      return { room: await describe(await follow(first), actor.userId), created: false };
    }
    announceMembers(id, [actor.userId, ...others]);
    return { room: await readAfterCommit(describeNew(id, actor)), created: true };
  }

  async function findDirectMessage(dmKey: Buffer): Promise<string | undefined> {
    const [found] = await db.select({ id: rooms.id }).from(rooms).where(eq(rooms.dmKey, dmKey));
    return found?.id;
  }

  async function get(actor: Actor, roomId: string): Promise<Room> {
    return describe(await followToRead(actor, roomId), actor.userId);
  }

  async function update(actor: Actor, roomId: string, changes: RoomChanges): Promise<Room> {
    const feed = await follow(roomId);
    feed.state.require(actor, 'change_room');
    await checkTexts(actor, changes, roomId);
    await eventLog.transact(roomId, async ({ tx, state, nextSeq }) => {
      state.require(actor, 'change_room');
      if (state.settings.kind === 'dm') throw new Failure('forbidden', 'a direct message has no settings');
      const before = state.settings;
      const after = { ...before, ...changes };
      const same = (Object.keys(changes) as (keyof RoomChanges)[]).every((key) => before[key] === after[key]);
      // The answer shows the room: staff that has not opened it leaves a trace all the same.
      if (same && state.standingOf(actor) === 'staff')
        await recordAct(tx, { action: 'room.update', actorId: actor.userId, roomId });
      if (same) return { events: [], answer: undefined };
      await tx.update(rooms).set(changes).where(eq(rooms.id, roomId));
      await recordAct(tx, { action: 'room.update', actorId: actor.userId, roomId, details: describeChanges(changes) });
      const room = { ...after, seq: nextSeq, memberCount: state.members.size };
      return {
        events: [{ type: 'room.updated', actorId: actor.userId, data: { room, by: actor.userId } }],
        answer: undefined,
      };
    });
    return readAfterCommit(describe(feed, actor.userId));
  }

  /** For the log: names and topics are said to have changed, not what they say. */
  function describeChanges({ name, topic, ...settled }: RoomChanges): Record<string, unknown> {
    const texts = [...(name === undefined ? [] : ['name']), ...(topic === undefined ? [] : ['topic'])];
    return { ...settled, ...(texts.length > 0 ? { texts } : {}) };
  }

  async function remove(actor: Actor, roomId: string): Promise<void> {
    (await follow(roomId)).state.require(actor, 'delete_room');
    await eventLog.transact(roomId, async ({ tx, state, nextSeq }) => {
      state.require(actor, 'delete_room');
      await recordAct(tx, { action: 'room.delete', actorId: actor.userId, roomId });
      await tx.update(rooms).set({ deletedAt: sql`now()`, dmKey: null }).where(eq(rooms.id, roomId));
      const gone = await tx.delete(members).where(eq(members.roomId, roomId)).returning({ userId: members.userId });
      for (let at = 0; at < gone.length; at += 1000) {
        await tx.insert(membershipChanges).values(
          gone.slice(at, at + 1000).map(({ userId }) => ({
            roomId,
            userId,
            kind: 'left' as const,
            reason: 'deleted' as const,
            seq: nextSeq,
          })),
        );
      }
      return {
        events: [{ type: 'room.deleted', actorId: actor.userId, data: { by: actor.userId } }],
        answer: undefined,
      };
    });
  }

  async function listMembers(
    actor: Actor,
    roomId: string,
    after: string | undefined,
    limit: number,
  ): Promise<MemberView[]> {
    await followToRead(actor, roomId);
    const rows = await repository.memberIds(roomId, after, limit);
    const people = await profiles.byIds(rows.map((row) => row.userId));
    return rows.map(({ userId, ...row }) => ({ user: people.get(userId) ?? unknownProfile(userId), ...row }));
  }

  async function viewMember(roomId: string, userId: string): Promise<MemberView> {
    const [row] = await db
      .select({ role: members.role, joinedAt: members.joinedAt, mutedUntil: members.mutedUntil })
      .from(members)
      .where(and(eq(members.roomId, roomId), eq(members.userId, userId)));
    if (!row) throw new Failure('not_found', 'no such member');
    const people = await profiles.byIds([userId]);
    const muted = row.mutedUntil && row.mutedUntil.getTime() > eventLog.nowMs() ? row.mutedUntil.toISOString() : null;
    return {
      user: people.get(userId) ?? unknownProfile(userId),
      role: row.role,
      joinedAt: row.joinedAt.toISOString(),
      mutedUntil: muted,
    };
  }

  async function putMember(actor: Actor, roomId: string, userId: string, role?: MemberRole): Promise<MemberView> {
    const feed = await follow(roomId);
    requireAdd(feed.state, actor, userId, role);
    if (feed.state.members.has(userId))
      return role ? changeRole(actor, roomId, userId, role) : viewMember(roomId, userId);
    if (userId !== actor.userId) await contact.requirePeople(actor, [userId], '/userId');
    const { answer: joined, seq } = await eventLog.transact(roomId, async (context) => {
      const { state } = context;
      requireAdd(state, actor, userId, role);
      if (state.members.has(userId)) return { events: [], answer: false };
      const founds = state.members.size === 0 && state.settings.kind === 'room' && actor.role !== 'server';
      const newRole = role ?? (founds ? 'owner' : 'member');
      const event = await admitMember(context, { roomId, userId, role: newRole, by: actor.userId }, settings);
      return { events: [event], answer: true };
    });
    if (joined) hub.announceJoin({ userId, roomId, seq });
    return readAfterCommit(viewMember(roomId, userId));
  }

  /** Anybody may join a public room; others are let in by those who may add them. */
  function requireAdd(state: RoomState, actor: Actor, userId: string, role: MemberRole | undefined): void {
    if (state.settings.kind === 'dm' && !state.members.has(userId)) {
      state.require(actor, 'read');
      throw new Failure('forbidden', 'a direct message is for exactly these people');
    }
    if (userId === actor.userId) {
      if (state.members.has(userId)) return;
      if (!state.isPublic()) throw new Failure('not_found', 'no such room');
      if (role !== undefined && role !== 'member') throw new Failure('forbidden', 'join as a member');
      return;
    }
    state.require(actor, state.members.has(userId) ? 'read' : 'add_member');
    if (role !== undefined && role !== 'member' && !state.members.has(userId)) state.require(actor, 'change_role');
  }

  async function changeRole(actor: Actor, roomId: string, userId: string, role: MemberRole): Promise<MemberView> {
    await follow(roomId);
    await eventLog.transact(roomId, async ({ tx, state }) => {
      const target = requireTarget(state, actor, userId);
      if (target.role === role) return { events: [], answer: undefined };
      state.require(actor, 'change_role');
      const successor = target.role === 'owner' ? findHeir(state, userId) : undefined;
      if (target.role === 'owner' && successor === 'none') throw new Failure('conflict', 'a room keeps an owner');
      await tx
        .update(members)
        .set({ role })
        .where(and(eq(members.roomId, roomId), eq(members.userId, userId)));
      if (userId !== actor.userId) {
        const details = { from: target.role, to: role };
        await recordAct(tx, { action: 'member.role', actorId: actor.userId, roomId, targetId: userId, details });
      }
      const updated = {
        type: 'member.updated',
        actorId: actor.userId,
        data: memberData({ userId, role, mutedUntil: target.mutedUntil, by: actor.userId }),
      };
      return {
        events: [updated, ...(await promote(tx, state, { roomId, successor, by: actor.userId }))],
        answer: undefined,
      };
    });
    return readAfterCommit(viewMember(roomId, userId));
  }

  function requireTarget(state: RoomState, actor: Actor, userId: string) {
    state.requireKnown(actor);
    const target = state.members.get(userId);
    if (!target) throw new Failure('not_found', 'no such member');
    return target;
  }

  async function removeMember(actor: Actor, roomId: string, userId: string): Promise<void> {
    const feed = await follow(roomId);
    // Leaving twice is leaving once: the first answer may have been lost.
    if (userId === actor.userId && !feed.state.isMember(userId) && (await wasMember(roomId, userId))) return;
    requireRemove(feed.state, actor, userId);
    await eventLog.transact(roomId, async (context) => {
      requireRemove(context.state, actor, userId);
      if (!context.state.members.has(userId)) return { events: [], answer: undefined };
      const reason = userId === actor.userId ? 'left' : 'removed';
      if (reason === 'removed')
        await recordAct(context.tx, { action: 'member.remove', actorId: actor.userId, roomId, targetId: userId });
      const events = await endMembership(context, { roomId, userId, by: actor.userId, reason });
      return { events, answer: undefined };
    });
  }

  async function wasMember(roomId: string, userId: string): Promise<boolean> {
    const [change] = await db
      .select({ kind: membershipChanges.kind })
      .from(membershipChanges)
      .where(and(eq(membershipChanges.roomId, roomId), eq(membershipChanges.userId, userId)))
      .limit(1);
    return change !== undefined;
  }

  function requireRemove(state: RoomState, actor: Actor, userId: string): void {
    state.requireKnown(actor);
    const target = state.members.get(userId);
    if (state.settings.kind === 'dm') throw new Failure('forbidden', 'a direct message keeps its people');
    if (userId === actor.userId) return;
    const standing = state.require(actor, 'remove_member');
    if (target && !outranks(standing, target.role))
      throw new Failure('forbidden', 'they have the same or a higher role');
  }

  async function mute(actor: Actor, roomId: string, userId: string, seconds: number): Promise<MemberView> {
    (await follow(roomId)).state.require(actor, 'mute');
    await eventLog.transact(roomId, async ({ tx, state }) => {
      const standing = state.require(actor, 'mute');
      const target = requireTarget(state, actor, userId);
      if (!outranks(standing, target.role)) throw new Failure('forbidden', 'they have the same or a higher role');
      const [row] = await tx
        .update(members)
        .set({
          mutedUntil: seconds > 0 ? sql`date_trunc('milliseconds', now()) + ${seconds} * interval '1 second'` : null,
        })
        .where(and(eq(members.roomId, roomId), eq(members.userId, userId)))
        .returning({ mutedUntil: members.mutedUntil });
      if (seconds === 0 && target.mutedUntil === 0) return { events: [], answer: undefined };
      const mutedUntil = row?.mutedUntil?.getTime() ?? 0;
      const data = memberData({ userId, role: target.role, mutedUntil, by: actor.userId });
      await recordAct(tx, {
        action: seconds > 0 ? 'member.mute' : 'member.unmute',
        actorId: actor.userId,
        roomId,
        targetId: userId,
        details: seconds > 0 ? { seconds } : {},
      });
      return { events: [{ type: 'member.updated', actorId: actor.userId, data }], answer: undefined };
    });
    return readAfterCommit(viewMember(roomId, userId));
  }

  async function describeJoined(roomId: string, userId: string): Promise<string | undefined> {
    const feed = await hub.feed(roomId);
    return feed && JSON.stringify({ type: 'room.joined', roomId, data: { room: await describe(feed, userId) } });
  }

  return {
    create,
    directMessage,
    get,
    mine: repository.ownRooms,
    listPublic: repository.publicRooms,
    update,
    remove,
    listMembers,
    putMember,
    changeRole,
    removeMember,
    mute,
    follow,
    followToRead,
    nameFor,
    describeJoined,
  };
}

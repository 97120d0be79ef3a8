/** Creates rooms and direct messages. Their first members are written in the transaction that creates them. */
import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { Database } from '../../database/connect.ts';
import { isUniqueViolation, readAfterCommit } from '../../database/database-errors.ts';
import { Failure, invalid } from '../../errors.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { Contact } from '../membership/contact.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import type { RoomAccess } from './room-access.ts';
import { findDirectMessage, insertRoom, type NewRoomRow } from './room-repository.ts';
import type { Room } from './room-rows.ts';
import type { RequireRoomTexts } from './room-texts.ts';
import type { RoomViews } from './room-views.ts';

export interface NewRoom {
  readonly name: string;
  readonly visibility: 'public' | 'private';
  readonly topic?: string;
  readonly history?: 'all' | 'joined';
  readonly slowModeSeconds?: number;
  readonly pins?: 'moderators' | 'members';
  readonly receipts?: boolean;
  readonly memberIds?: readonly string[];
  /** For a server only, which is no member itself; without it the room has no owner. */
  readonly ownerId?: string;
}

export interface RoomCreation {
  /**
   * @param id of the room: the same id again answers with the room that is there
   * @throws Failure `invalid`, `not_found` for unknown users, `forbidden`, `message_blocked`
   */
  readonly create: (actor: Actor, room: NewRoom, id: string) => Promise<Room>;
  /**
   * @returns the one room of exactly these users and the caller, and whether this call created it
   * @throws Failure `invalid`, `not_found` for users who are unknown or block the caller
   */
  readonly directMessage: (actor: Actor, userIds: readonly string[]) => Promise<{ room: Room; created: boolean }>;
}

export interface RoomCreationParts {
  readonly db: Database;
  readonly hub: Hub<RoomState>;
  readonly access: RoomAccess;
  readonly views: RoomViews;
  readonly contact: Contact;
  readonly requireTexts: RequireRoomTexts;
  readonly settings: { readonly membersMax: number; readonly dmMembersMax: number };
}

export function createRoomCreation(parts: RoomCreationParts): RoomCreation {
  const { db, hub, access, views, contact, requireTexts, settings } = parts;

  async function create(actor: Actor, draft: NewRoom, id: string): Promise<Room> {
    await requireTexts(actor, draft);
    const ownerId = ownerOf(actor, draft.ownerId);
    const others = [...new Set(draft.memberIds ?? [])].filter((userId) => userId !== ownerId);
    if (others.length >= settings.membersMax) throw invalid('/memberIds', `at most ${settings.membersMax} members`);
    await contact.requirePeople(actor, others, '/memberIds');
    if (ownerId !== undefined && ownerId !== actor.userId) await contact.requirePeople(actor, [ownerId], '/ownerId');
    const memberIds = ownerId === undefined ? others : [ownerId, ...others];
    try {
      await store(toRoomRow(draft, id), { createdBy: actor.userId, ownerId, memberIds });
    } catch (error) {
      // The request was repeated, after an answer that was lost or at the same time as the first one.
      if (isUniqueViolation(error, 'rooms_pkey'))
        return views.describe(await access.followToRead(actor, id), actor.userId);
      throw error;
    }
    return readAfterCommit(describe(actor, id));
  }

  async function directMessage(actor: Actor, userIds: readonly string[]): Promise<{ room: Room; created: boolean }> {
    const others = [...new Set(userIds)].filter((userId) => userId !== actor.userId);
    if (others.length === 0) throw invalid('/userIds', 'name at least one other user');
    if (others.length >= settings.dmMembersMax)
      throw invalid('/userIds', `at most ${settings.dmMembersMax - 1} other users`);
    const memberIds = [actor.userId, ...others];
    const dmKey = directMessageKey(memberIds);
    const existing = await findDirectMessage(db, dmKey);
    // Blocks do not end a conversation of several members, but prevent a new one.
    if (!existing || others.length === 1) await contact.requirePeople(actor, others, '/userIds');
    if (existing) return { room: await describe(actor, existing), created: false };
    const row = toDirectMessageRow(uuidv7(), dmKey);
    try {
      await store(row, { createdBy: actor.userId, ownerId: undefined, memberIds });
    } catch (error) {
      // Two members started the conversation at once: both get the room that was stored first.
      if (!isUniqueViolation(error, 'rooms_dm_key')) throw error;
      const first = await findDirectMessage(db, dmKey);
      if (!first) throw error;
      return { room: await describe(actor, first), created: false };
    }
    return { room: await readAfterCommit(describe(actor, row.id)), created: true };
  }

  async function store(row: NewRoomRow, members: Parameters<typeof insertRoom>[2]): Promise<void> {
    await db.transaction((tx) => insertRoom(tx, row, members));
    for (const [index, userId] of members.memberIds.entries())
      hub.announceJoin({ userId, roomId: row.id, seq: index + 1 });
  }

  async function describe(actor: Actor, roomId: string): Promise<Room> {
    return views.describe(await access.follow(roomId), actor.userId);
  }

  return { create, directMessage };
}

/** Users own the rooms that they create; a server names the owner. @throws Failure `forbidden` */
export function ownerOf(actor: Actor, ownerId: string | undefined): string | undefined {
  if (actor.role === 'server') return ownerId;
  if (ownerId !== undefined && ownerId !== actor.userId)
    throw new Failure('forbidden', 'only an API key creates rooms for other users');
  return actor.userId;
}

/** The same for the same users, in whatever order they are given. */
export function directMessageKey(memberIds: readonly string[]): Buffer {
  return createHash('sha256')
    .update([...memberIds].sort().join(' '))
    .digest();
}

function toRoomRow(
  { topic = '', history = 'all', slowModeSeconds = 0, pins = 'members', ...room }: NewRoom,
  id: string,
) {
  const { name, visibility, receipts = false } = room;
  return { id, kind: 'room', name, topic, visibility, history, slowModeSeconds, pins, receipts } as const;
}

function toDirectMessageRow(id: string, dmKey: Buffer) {
  const settings = { name: '', topic: '', visibility: 'private', history: 'all', slowModeSeconds: 0 } as const;
  const conversation = { pins: 'members', receipts: true } as const;
  return { id, kind: 'dm', ...settings, ...conversation, dmKey } as const;
}

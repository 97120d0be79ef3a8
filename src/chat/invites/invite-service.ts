/** Invite links: anybody who holds the code may join the room. */
import type { Database } from '../../database/connect.ts';
import { isUniqueViolation, readAfterCommit } from '../../database/database-errors.ts';
import { Failure } from '../../errors.ts';
import { may } from '../../permissions.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import { lockAccount } from '../../user/account/account-lock.ts';
import type { AppendContext, AppendPlan, EventLog } from '../events/event-log.ts';
import { admitMember } from '../membership/admission.ts';
import type { Room } from '../rooms/room-rows.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import type { InviteCodes } from './invite-codes.ts';
import {
  countInvites,
  countUse,
  deleteInvite,
  findInvite,
  findInviteByCode,
  type InviteRow,
  insertInvite,
  listInviteRows,
  lockInvite,
} from './invite-repository.ts';

export interface Invite {
  readonly id: string;
  readonly code: string;
  readonly url: string;
  /** RFC 3339. */
  readonly expiresAt: string;
  /** null: no limit. */
  readonly maxUses: number | null;
  readonly uses: number;
}

export interface ListedInvite extends Invite {
  /** User id. */
  readonly createdBy: string;
  /** RFC 3339. */
  readonly createdAt: string;
}

export interface InviteTerms {
  /** Seconds. */
  readonly expiresIn?: number;
  readonly maxUses?: number;
}

export interface InviteService {
  /**
   * @param id of the invite: the same id again answers with the invite that is there
   * @throws Failure `not_found`, `forbidden`, or `conflict` when the room has as many invites as allowed
   */
  readonly create: (actor: Actor, roomId: string, terms: InviteTerms, id: string) => Promise<Invite>;
  /**
   * Joins the room. A member stays one and does not use up the invite.
   * @throws Failure `not_found` for a code that is unknown, expired, used up, or whose creator may not invite any more;
   * `banned`; `conflict` when the room is full
   */
  readonly accept: (actor: Actor, code: string) => Promise<Room>;
  /**
   * Invites that have not expired, newest first: all of them for moderators and owners, for others their own.
   * @param before the last id of the page before
   * @throws Failure `not_found`, `forbidden`
   */
  readonly list: (actor: Actor, roomId: string, before: string | undefined, limit: number) => Promise<ListedInvite[]>;
  /**
   * Revokes an invite; after the answer nobody joins by it. Moderators and owners revoke any, others their own.
   * @throws Failure `not_found`, `forbidden`
   */
  readonly revoke: (actor: Actor, roomId: string, id: string) => Promise<void>;
}

export interface InviteServiceParts {
  readonly db: Database;
  readonly eventLog: EventLog;
  readonly hub: Hub<RoomState>;
  readonly follow: (roomId: string) => Promise<Feed<RoomState>>;
  readonly describe: (actor: Actor, roomId: string) => Promise<Room>;
  readonly codes: InviteCodes;
  readonly settings: {
    /** Milliseconds, of an invite that is made without `expiresIn`. */
    readonly inviteLifetime: number;
    /** Of one room. */
    readonly invitesMax: number;
    readonly membersMax: number;
  };
}

export function createInviteService(parts: InviteServiceParts): InviteService {
  const { db, eventLog, hub, follow, describe, codes, settings } = parts;

  async function create(actor: Actor, roomId: string, terms: InviteTerms, id: string): Promise<Invite> {
    const { state } = await follow(roomId);
    state.require(actor, 'invite');
    if (state.settings.kind === 'dm') throw new Failure('forbidden', 'the members of a direct message do not change');
    try {
      return toInvite(await store(actor, state, { ...terms, id, roomId }));
    } catch (error) {
      if (!isUniqueViolation(error, 'invites_pkey')) throw error;
      const first = await findInvite(db, id);
      if (!first) throw new Failure('not_found', 'this invite has ended');
      return toInvite(first);
    }
  }

  function store(actor: Actor, state: RoomState, order: InviteTerms & { id: string; roomId: string }) {
    const { id, roomId, expiresIn, maxUses = null } = order;
    return db.transaction(async (tx) => {
      // An erasure deletes the user's invites: either this one is stored before, or not at all.
      if (actor.role !== 'server') await lockAccount(tx, actor.userId);
      if ((await countInvites(tx, roomId)) >= settings.invitesMax)
        throw new Failure('conflict', `this room already has ${settings.invitesMax} invites`);
      return insertInvite(tx, {
        ...{ id, roomId, maxUses, ...codes.create(id) },
        createdBy: actor.userId,
        byStaff: !state.isMember(actor.userId),
        lifetimeSeconds: expiresIn ?? settings.inviteLifetime / 1000,
      });
    });
  }

  async function accept(actor: Actor, code: string): Promise<Room> {
    const found = await findInviteByCode(db, codes.hash(code));
    if (!found) throw noSuchInvite();
    const { id, roomId } = found;
    const { userId } = actor;
    if ((await follow(roomId)).state.isMember(userId)) return describe(actor, roomId);
    const { answer: joined, seq } = await eventLog.transact(roomId, (context) =>
      planAcceptance(context, { id, roomId, userId }, settings),
    );
    if (joined) hub.announceJoin({ userId, roomId, seq });
    return readAfterCommit(describe(actor, roomId));
  }

  async function list(actor: Actor, roomId: string, before: string | undefined, limit: number) {
    const { state } = await follow(roomId);
    // A code lets others in, so only users who may invite can list them.
    state.require(actor, 'invite');
    const createdBy = mayModerate(state, actor) ? undefined : actor.userId;
    const found = await listInviteRows(db, { roomId, createdBy, before, limit });
    return found.map((row) => ({
      ...toInvite(row),
      createdBy: row.createdBy,
      createdAt: row.createdAt.toISOString(),
    }));
  }

  async function revoke(actor: Actor, roomId: string, id: string): Promise<void> {
    const { state } = await follow(roomId);
    const createdBy = mayModerate(state, actor) ? undefined : actor.userId;
    if (createdBy !== undefined) state.require(actor, 'invite');
    if (!(await deleteInvite(db, { id, roomId, createdBy }))) throw noSuchInvite();
  }

  function toInvite(row: InviteRow): Invite {
    const { id, expiresAt, maxUses, uses } = row;
    return { id, ...codes.read(row), expiresAt: expiresAt.toISOString(), maxUses, uses };
  }

  return { create, accept, list, revoke };
}

/** @returns the plan; its answer says whether the user is a new member */
async function planAcceptance(
  context: AppendContext,
  { id, roomId, userId }: { id: string; roomId: string; userId: string },
  bounds: { membersMax: number },
): Promise<AppendPlan<boolean>> {
  const { tx, state } = context;
  if (state.isMember(userId)) return { events: [], answer: false };
  const invite = await lockInvite(tx, id);
  if (!invite || !isUsable(invite, state)) throw noSuchInvite();
  if (!(await countUse(tx, id))) throw noSuchInvite();
  const event = await admitMember(context, { roomId, userId, role: 'member', by: userId }, bounds);
  return { events: [event], answer: true };
}

/** An invite holds only as long as its creator may invite: a removed member's invites admit nobody, not even themselves. */
export function isUsable(
  { createdBy, byStaff, uses, maxUses }: Pick<InviteRow, 'createdBy' | 'byStaff' | 'uses' | 'maxUses'>,
  state: RoomState,
): boolean {
  if (state.deleted || (maxUses !== null && uses >= maxUses)) return false;
  const creator = state.members.get(createdBy);
  return creator ? may(creator.role, 'invite') : byStaff;
}

function mayModerate(state: RoomState, actor: Actor): boolean {
  try {
    state.require(actor, 'moderate');
    return true;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}

/** The same answer for unknown, expired and used-up invites. */
function noSuchInvite(): Failure {
  return new Failure('not_found', 'no such invite');
}

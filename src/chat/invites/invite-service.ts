/**
 * Invite links: whoever holds the code may join. The code is a secret of its own, so it is stored as a hash to be found
 * by, and sealed to be shown again to a repeat of the request that made it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { and, desc, eq, gt, lt, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { isUniqueViolation, readAfterCommit } from '../../database/database-errors.ts';
import { invites } from '../../database/tables/room-tables.ts';
import { Failure } from '../../errors.ts';
import { may } from '../../permissions.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import { lockAccount } from '../../user/account/account-lock.ts';
import type { EventLog } from '../events/event-log.ts';
import { admitMember } from '../membership/admission.ts';
import type { Room } from '../rooms/room-service.ts';
import type { Actor, RoomState } from '../state/room-state.ts';

export interface Invite {
  readonly id: string;
  readonly code: string;
  readonly url: string;
  /** RFC 3339. */
  readonly expiresAt: string;
  /** null: as many as like. */
  readonly maxUses: number | null;
  readonly uses: number;
}

export interface ListedInvite extends Invite {
  /** Id of its maker. */
  readonly createdBy: string;
  readonly createdAt: string;
}

export interface InviteTerms {
  /** Seconds. */
  readonly expiresIn?: number;
  readonly maxUses?: number;
}

export interface InviteService {
  /**
   * @param id of the invite: the same again shows the one that is there
   * @throws Failure `not_found`, `forbidden`, or `conflict` when the room has as many as it may
   */
  readonly create: (actor: Actor, roomId: string, terms: InviteTerms, id: string) => Promise<Invite>;
  /**
   * Joins the room, once: a member stays one and uses nothing up.
   * @throws Failure `not_found` for a code that is unknown, over, used up, or whose maker may not invite any more
   */
  readonly accept: (actor: Actor, code: string) => Promise<Room>;
  /**
   * Invites that have not ended, newest first: the actor's own, and everybody's for the room's moderators and owners.
   * @param before the id of the last one of the page before
   * @throws Failure `not_found`, `forbidden`
   */
  readonly list: (actor: Actor, roomId: string, before: string | undefined, limit: number) => Promise<ListedInvite[]>;
  /**
   * Takes an invite back: from the answer on it lets nobody in. One's own, and any for those who moderate the room.
   * @throws Failure `not_found`, `forbidden`
   */
  readonly revoke: (actor: Actor, roomId: string, id: string) => Promise<void>;
}

export interface InviteSettings {
  readonly inviteLifetime: number;
  readonly invitesMax: number;
  readonly membersMax: number;
  readonly publicUrl: string;
}

/** Seals what has to be shown again; see auth/credentials/secret-encryption.ts. */
interface SecretCipher {
  readonly seal: (secret: Buffer, purpose: string) => string;
  readonly open: (sealed: string, purpose: string) => Buffer;
}

/** 192 bits: nobody guesses one. */
const codeBytes = 24;
const purposeOf = (id: string) => `invite ${id}`;
const hashOf = (code: string) => createHash('sha256').update(code).digest();

export function createInviteService({
  db,
  eventLog,
  hub,
  follow,
  describe,
  secretCipher,
  settings,
}: {
  db: Database;
  eventLog: EventLog;
  hub: Hub<RoomState>;
  follow: (roomId: string) => Promise<Feed<RoomState>>;
  describe: (actor: Actor, roomId: string) => Promise<Room>;
  secretCipher: SecretCipher;
  settings: InviteSettings;
}): InviteService {
  async function create(actor: Actor, roomId: string, terms: InviteTerms, id: string): Promise<Invite> {
    const { state } = await follow(roomId);
    state.require(actor, 'invite');
    if (state.settings.kind === 'dm') throw new Failure('forbidden', 'a direct message is for exactly these people');
    const code = randomBytes(codeBytes).toString('base64url');
    const seconds = terms.expiresIn ?? settings.inviteLifetime / 1000;
    try {
      const [made] = await db.transaction(async (tx) => {
        // Comes before an erasure, which takes it away, or not at all.
        if (actor.role !== 'server') await lockAccount(tx, actor.userId);
        await requireFewer(tx, roomId);
        return tx
          .insert(invites)
          .values({
            id,
            roomId,
            codeHash: hashOf(code),
            sealedCode: secretCipher.seal(Buffer.from(code), purposeOf(id)),
            createdBy: actor.userId,
            byStaff: !state.isMember(actor.userId),
            expiresAt: sql`date_trunc('milliseconds', now()) + ${seconds} * interval '1 second'`,
            maxUses: terms.maxUses ?? null,
          })
          .returning();
      });
      return toInvite(made!);
    } catch (error) {
      if (!isUniqueViolation(error, 'invites_pkey')) throw error;
      const [first] = await db.select().from(invites).where(eq(invites.id, id));
      if (!first) throw new Failure('not_found', 'this invite is over');
      return toInvite(first);
    }
  }

  /** What is over makes room first. */
  async function requireFewer(tx: Transaction, roomId: string): Promise<void> {
    await tx.delete(invites).where(and(eq(invites.roomId, roomId), sql`${invites.expiresAt} <= now()`));
    const [live] = await tx
      .select({ count: sql<number>`count(*)::int` })
      .from(invites)
      .where(eq(invites.roomId, roomId));
    if ((live?.count ?? 0) >= settings.invitesMax)
      throw new Failure('conflict', `this room has ${settings.invitesMax} invites already`);
  }

  function toInvite({ id, sealedCode, expiresAt, maxUses, uses }: typeof invites.$inferSelect): Invite {
    const code = secretCipher.open(sealedCode, purposeOf(id)).toString();
    // Behind "#": what a browser sends to no server, and no log keeps.
    const url = `${settings.publicUrl.replace(/\/$/, '')}/#/invite/${code}`;
    return { id, code, url, expiresAt: expiresAt.toISOString(), maxUses, uses };
  }

  async function accept(actor: Actor, code: string): Promise<Room> {
    const [found] = await db
      .select({ id: invites.id, roomId: invites.roomId })
      .from(invites)
      .where(and(eq(invites.codeHash, hashOf(code)), gt(invites.expiresAt, sql`now()`)));
    if (!found) throw noInvite();
    const { id, roomId } = found;
    if ((await follow(roomId)).state.isMember(actor.userId)) return describe(actor, roomId);
    const { answer: joined, seq } = await eventLog.transact(roomId, async (context) => {
      const { tx, state } = context;
      if (state.isMember(actor.userId)) return { events: [], answer: false };
      const [invite] = await tx.select().from(invites).where(eq(invites.id, id)).for('update');
      if (!invite || !counts(invite, state)) throw noInvite();
      const used = await tx
        .update(invites)
        .set({ uses: sql`${invites.uses} + 1` })
        .where(and(eq(invites.id, id), gt(invites.expiresAt, sql`now()`)))
        .returning({ uses: invites.uses });
      if (used.length === 0) throw noInvite();
      const { userId } = actor;
      const event = await admitMember(context, { roomId, userId, role: 'member', by: userId }, settings);
      return { events: [event], answer: true };
    });
    if (joined) hub.announceJoin({ userId: actor.userId, roomId, seq });
    return readAfterCommit(describe(actor, roomId));
  }

  /** An invite is as good as its maker: whoever was removed lets nobody in, themselves least of all. */
  function counts({ createdBy, byStaff, uses, maxUses }: typeof invites.$inferSelect, state: RoomState): boolean {
    if (state.deleted || (maxUses !== null && uses >= maxUses)) return false;
    const maker = state.members.get(createdBy);
    return maker ? may(maker.role, 'invite') : byStaff;
  }

  async function list(
    actor: Actor,
    roomId: string,
    before: string | undefined,
    limit: number,
  ): Promise<ListedInvite[]> {
    const { state } = await follow(roomId);
    // Who sees a code may let people in, so the list is for those who may invite.
    state.require(actor, 'invite');
    const found = await db
      .select()
      .from(invites)
      .where(
        and(
          eq(invites.roomId, roomId),
          gt(invites.expiresAt, sql`now()`),
          mayModerate(state, actor) ? undefined : eq(invites.createdBy, actor.userId),
          before === undefined ? undefined : lt(invites.id, before),
        ),
      )
      .orderBy(desc(invites.id))
      .limit(limit);
    return found.map((row) => ({
      ...toInvite(row),
      createdBy: row.createdBy,
      createdAt: row.createdAt.toISOString(),
    }));
  }

  async function revoke(actor: Actor, roomId: string, id: string): Promise<void> {
    const { state } = await follow(roomId);
    const own = mayModerate(state, actor) ? undefined : eq(invites.createdBy, actor.userId);
    if (own) state.require(actor, 'invite');
    // Waits for an acceptance that holds the row: it came before.
    const revoked = await db
      .delete(invites)
      .where(and(eq(invites.id, id), eq(invites.roomId, roomId), own))
      .returning({ id: invites.id });
    if (revoked.length === 0) throw noInvite();
  }

  return { create, accept, list, revoke };
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

/** Unknown, over and used up answer alike. */
function noInvite(): Failure {
  return new Failure('not_found', 'no such invite');
}

/** Keeping people out: of a room by its moderators, of the deployment by its staff. Bans end by Postgres' clock. */
import { and, eq, isNull, type SQL, sql } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { LoginBans } from '../../auth/login/login-bans.ts';
import type { AppendContext, DraftEvent, EventLog } from '../../chat/events/event-log.ts';
import { endMembership } from '../../chat/membership/member-departure.ts';
import { lockEntry } from '../../chat/membership/room-bans.ts';
import type { RoomService } from '../../chat/rooms/room-service.ts';
import { unknownProfile } from '../../chat/state/message-shape.ts';
import type { RecordAct } from '../../chat/state/moderator-acts.ts';
import type { Database, Sql, Transaction } from '../../database/connect.ts';
import { moderationBans } from '../../database/tables/moderation-tables.ts';
import { users } from '../../database/tables/user-tables.ts';
import { Failure, invalid } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { writeCursor } from '../../http/input/cursors.ts';
import { type DeploymentRole, outranks } from '../../permissions.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import type { Place } from '../scope/moderation-schemas.ts';
import { isStaff, type ModeratorAccess } from '../scope/moderator-access.ts';

export interface Ban {
  readonly user: PublicProfile;
  readonly roomId: string | null;
  readonly reason: string | null;
  readonly by: PublicProfile;
  readonly createdAt: string;
  readonly expiresAt: string | null;
}

export interface BanOrder {
  readonly userId: string;
  readonly roomId: string | undefined;
  /** Undefined: until it is lifted. */
  readonly seconds: number | undefined;
  readonly reason: string | undefined;
}

interface RoomBanOrder extends Omit<BanOrder, 'roomId'> {
  readonly actor: Caller;
  readonly roomId: string;
}

export interface BanService {
  /** A new ban takes the place of the one before it. @throws Failure `not_found`, `forbidden` */
  readonly ban: (caller: Caller, order: BanOrder) => Promise<Ban>;
  /** Lifting what is not there is no failure. */
  readonly lift: (caller: Caller, userId: string, roomId: string | undefined) => Promise<void>;
  readonly list: (
    caller: Caller,
    roomId: string | undefined,
    after: Place | undefined,
    limit: number,
  ) => Promise<Ban[]>;
  readonly cursorOf: (ban: Ban) => string;
  /** A room ban as a part of somebody else's transaction of the room's log. @returns the events for its plan */
  readonly banInside: (context: AppendContext, order: RoomBanOrder) => Promise<DraftEvent[]>;
  /** After `banInside` was committed: ends a membership that began while it was not, and watching. */
  readonly endLateMembership: (actor: Caller, roomId: string, userId: string) => Promise<void>;
}

const staffRank: Readonly<Record<DeploymentRole, number>> = { user: 0, moderator: 1, admin: 2, server: 3 };

export function createBanService({
  db,
  sql: reads,
  access,
  follow,
  eventLog,
  profiles,
  loginBans,
  onRoomBan,
  recordAct,
}: {
  db: Database;
  sql: Sql;
  access: ModeratorAccess;
  follow: RoomService['follow'];
  eventLog: EventLog;
  profiles: Profiles;
  loginBans: LoginBans;
  /** A room has shut somebody out: who watches it without being a member is to be looked for. */
  onRoomBan: () => void;
  recordAct: RecordAct;
}): BanService {
  async function requirePerson(userId: string): Promise<{ role: DeploymentRole }> {
    const [person] = await db
      .select({ role: users.role })
      .from(users)
      .where(and(eq(users.id, userId), isNull(users.erasedAt)));
    if (!person) throw new Failure('not_found', 'no such user');
    return person;
  }

  async function ban(caller: Caller, order: BanOrder): Promise<Ban> {
    const { userId, roomId } = order;
    await access.require(caller, roomId);
    if (userId === caller.userId) throw invalid('/userId', 'is you');
    const person = await requirePerson(userId);
    if (roomId === undefined) await banFromDeployment(caller, person.role, order);
    else {
      await eventLog.transact(roomId, async (context) => ({
        events: await banInside(context, { ...order, roomId, actor: caller }),
        answer: undefined,
      }));
      await endLateMembership(caller, roomId, userId);
    }
    const [stored] = await read(reads`user_id = ${userId} and ${sameRoom(roomId)}`, 1);
    if (!stored) throw new Failure('not_found', 'the ban was lifted meanwhile');
    return stored;
  }

  // ── Of a room ──

  async function banInside(context: AppendContext, { actor, roomId, userId, seconds, reason }: RoomBanOrder) {
    const { tx, state } = context;
    if (state.settings.kind === 'dm') throw new Failure('forbidden', 'a direct message keeps its people');
    const standing = state.require(actor, 'moderate');
    const target = state.members.get(userId);
    if (target && !outranks(standing, target.role))
      throw new Failure('forbidden', 'they have the same or a higher role');
    await lockEntry(tx, roomId, userId);
    await replaceBan(tx, actor.userId, { userId, roomId, seconds, reason });
    return target ? endMembership(context, { roomId, userId, by: actor.userId, reason: 'banned' }) : [];
  }

  /** Who joined between our look at the room and the ban is a member all the same: until now. */
  async function endLateMembership(actor: Caller, roomId: string, userId: string): Promise<void> {
    onRoomBan();
    const { state } = await follow(roomId);
    if (!state.members.has(userId)) return;
    await eventLog.transact(roomId, async (context) => ({
      events: context.state.members.has(userId)
        ? await endMembership(context, { roomId, userId, by: actor.userId, reason: 'banned' })
        : [],
      answer: undefined,
    }));
  }

  // ── Of the deployment ──

  async function banFromDeployment(caller: Caller, role: DeploymentRole, order: BanOrder): Promise<void> {
    if (!isStaff(caller) || staffRank[caller.role] <= staffRank[role])
      throw new Failure('forbidden', 'they have the same or a higher role');
    await db.transaction(async (tx) => {
      await lockPerson(tx, order.userId);
      const expiresAt = await replaceBan(tx, caller.userId, order);
      await loginBans.impose(tx, order.userId, expiresAt);
    });
    await loginBans.announce();
  }

  /** One after the other: the newest word on a person is the one that was committed last. */
  async function lockPerson(tx: Transaction, userId: string): Promise<void> {
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`ban ${userId}`}, 0))`);
  }

  /** @returns when it ends */
  async function replaceBan(
    tx: Transaction,
    by: string,
    { userId, roomId, seconds, reason }: BanOrder,
  ): Promise<Date | null> {
    await liftRows(tx, userId, roomId);
    const expiresAt: SQL | null =
      seconds === undefined ? null : sql`now()::timestamptz(3) + ${seconds} * interval '1 second'`;
    const [row] = await tx
      .insert(moderationBans)
      .values({ id: uuidv7(), userId, roomId, reason, createdBy: by, expiresAt })
      .returning({ expiresAt: moderationBans.expiresAt });
    await recordAct(tx, {
      action: 'member.ban',
      actorId: by,
      targetId: userId,
      ...(roomId === undefined ? {} : { roomId }),
      details: { ...(seconds === undefined ? {} : { seconds }), ...(reason === undefined ? {} : { reason }) },
    });
    return row!.expiresAt;
  }

  async function liftRows(tx: Transaction, userId: string, roomId: string | undefined): Promise<number> {
    const lifted = await tx
      .update(moderationBans)
      .set({ liftedAt: sql`now()` })
      .where(
        and(
          eq(moderationBans.userId, userId),
          roomId === undefined ? isNull(moderationBans.roomId) : eq(moderationBans.roomId, roomId),
          isNull(moderationBans.liftedAt),
        ),
      )
      .returning({ id: moderationBans.id });
    return lifted.length;
  }

  async function lift(caller: Caller, userId: string, roomId: string | undefined): Promise<void> {
    await access.require(caller, roomId);
    await db.transaction(async (tx) => {
      await lockPerson(tx, userId);
      if ((await liftRows(tx, userId, roomId)) === 0) return;
      if (roomId === undefined) await loginBans.lift(tx, userId);
      const act = { action: 'member.unban', actorId: caller.userId, targetId: userId };
      await recordAct(tx, roomId === undefined ? act : { ...act, roomId });
    });
    if (roomId === undefined) await loginBans.announce();
  }

  // ── Reading ──

  const sameRoom = (roomId: string | undefined) =>
    roomId === undefined ? reads`room_id is null` : reads`room_id = ${roomId}`;

  async function read(condition: ReturnType<typeof sameRoom>, limit: number): Promise<Ban[]> {
    const rows = await reads<
      {
        user_id: string;
        room_id: string | null;
        reason: string | null;
        created_by: string;
        created_at: Date;
        expires_at: Date | null;
      }[]
    >`
      select user_id, room_id, reason, created_by, created_at, expires_at from moderation_bans
      where ${condition} and lifted_at is null and (expires_at is null or expires_at > now())
      order by created_at desc, user_id desc limit ${limit}`;
    const people = await profiles.byIds([...new Set(rows.flatMap((row) => [row.user_id, row.created_by]))]);
    const profileOf = (id: string) => people.get(id) ?? unknownProfile(id);
    return rows.map((row) => ({
      user: profileOf(row.user_id),
      roomId: row.room_id,
      reason: row.reason,
      by: profileOf(row.created_by),
      createdAt: row.created_at.toISOString(),
      expiresAt: row.expires_at?.toISOString() ?? null,
    }));
  }

  return {
    ban,
    lift,
    list: async (caller, roomId, after, limit) => {
      await access.require(caller, roomId);
      const further = after
        ? reads`(created_at, user_id) < (${after.at}::timestamptz, ${after.id}::uuid)`
        : reads`true`;
      return read(reads`${sameRoom(roomId)} and ${further}`, limit + 1);
    },
    cursorOf: ({ createdAt, user }) => writeCursor([createdAt, user.id]),
    banInside,
    endLateMembership,
  };
}

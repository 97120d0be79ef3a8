/** Bans users: from a room by its moderators, from the deployment by staff. Bans end by Postgres' clock. */
import type { LoginBans } from '../../auth/login/login-bans.ts';
import type { EventLog } from '../../chat/events/event-log.ts';
import { unknownProfile } from '../../chat/state/message-shape.ts';
import type { RecordAct } from '../../chat/state/moderator-acts.ts';
import type { Database, Sql } from '../../database/connect.ts';
import { Failure, invalid } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { writeCursor } from '../../http/input/cursors.ts';
import type { DeploymentRole } from '../../permissions.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import type { Place } from '../scope/list-place.ts';
import { isStaff, type ModeratorAccess } from '../scope/moderator-access.ts';
import { banAct } from './ban-act.ts';
import { type BanRow, findBan, findRole, liftBan, listBans, lockUserBans, replaceBan } from './ban-repository.ts';
import type { RoomBans } from './room-bans.ts';

export interface Ban {
  readonly user: PublicProfile;
  /** null: the whole deployment. */
  readonly roomId: string | null;
  readonly reason: string | null;
  readonly by: PublicProfile;
  /** RFC 3339. */
  readonly createdAt: string;
  /** RFC 3339; null: until it is lifted. */
  readonly expiresAt: string | null;
}

export interface BanOrder {
  readonly userId: string;
  readonly roomId: string | undefined;
  /** Undefined: until it is lifted. */
  readonly seconds: number | undefined;
  readonly reason: string | undefined;
}

export interface BanService {
  /** Replaces an earlier ban of the same user. @throws Failure `not_found`, `forbidden`, `invalid` for the caller themselves */
  readonly ban: (caller: Caller, order: BanOrder) => Promise<Ban>;
  /** Succeeds also when there is no ban. @throws Failure `not_found`, `forbidden` */
  readonly lift: (caller: Caller, userId: string, roomId: string | undefined) => Promise<void>;
  /** Newest first, `limit` and one more. @param roomId undefined: the bans of the deployment */
  readonly list: (
    caller: Caller,
    roomId: string | undefined,
    after: Place | undefined,
    limit: number,
  ) => Promise<Ban[]>;
  readonly cursorOf: (ban: Ban) => string;
}

export interface BanServiceParts {
  readonly db: Database;
  readonly sql: Sql;
  readonly access: ModeratorAccess;
  readonly eventLog: EventLog;
  readonly roomBans: RoomBans;
  readonly loginBans: LoginBans;
  readonly profiles: Profiles;
  readonly recordAct: RecordAct;
}

export function createBanService(parts: BanServiceParts): BanService {
  const { db, sql, access, eventLog, roomBans, loginBans, profiles, recordAct } = parts;

  async function ban(caller: Caller, order: BanOrder): Promise<Ban> {
    const { userId, roomId } = order;
    await access.require(caller, roomId);
    if (userId === caller.userId) throw invalid('/userId', 'is you');
    const role = await findRole(db, userId);
    if (!role) throw new Failure('not_found', 'no such user');
    if (roomId === undefined) await banFromDeployment(caller, role, order);
    else await banFromRoom(caller, { ...order, roomId });
    const stored = await findBan(sql, userId, roomId);
    if (!stored) throw new Failure('not_found', 'the ban was lifted by another request');
    return (await toBans([stored]))[0]!;
  }

  async function banFromRoom(actor: Caller, order: BanOrder & { roomId: string }): Promise<void> {
    await eventLog.transact(order.roomId, async (context) => ({
      events: await roomBans.banInside(context, { ...order, actor }),
      answer: undefined,
    }));
    await roomBans.finish({ ...order, actor });
  }

  async function banFromDeployment(actor: Caller, role: DeploymentRole, order: BanOrder): Promise<void> {
    requireHigherStaff(actor, role);
    await db.transaction(async (tx) => {
      const lock = await lockUserBans(tx, order.userId, undefined);
      const expiresAt = await replaceBan(tx, lock, { ...order, createdBy: actor.userId });
      await recordAct(tx, banAct({ ...order, actor }));
      await loginBans.impose(tx, order.userId, expiresAt);
    });
    await loginBans.announce();
  }

  async function lift(caller: Caller, userId: string, roomId: string | undefined): Promise<void> {
    await access.require(caller, roomId);
    await db.transaction(async (tx) => {
      if (!(await liftBan(tx, await lockUserBans(tx, userId, roomId)))) return;
      if (roomId === undefined) await loginBans.lift(tx, userId);
      const act = { action: 'member.unban', actorId: caller.userId, targetId: userId };
      await recordAct(tx, roomId === undefined ? act : { ...act, roomId });
    });
    if (roomId === undefined) await loginBans.announce();
  }

  async function toBans(rows: readonly BanRow[]): Promise<Ban[]> {
    const people = await profiles.byIds([...new Set(rows.flatMap((row) => [row.userId, row.createdBy]))]);
    const profileOf = (id: string) => people.get(id) ?? unknownProfile(id);
    return rows.map(({ userId, roomId, reason, createdBy, createdAt, expiresAt }) => ({
      user: profileOf(userId),
      roomId,
      reason,
      by: profileOf(createdBy),
      createdAt: createdAt.toISOString(),
      expiresAt: expiresAt?.toISOString() ?? null,
    }));
  }

  return {
    ban,
    lift,
    list: async (caller, roomId, after, limit) => {
      await access.require(caller, roomId);
      return toBans(await listBans(sql, roomId, after, limit + 1));
    },
    cursorOf: ({ createdAt, user }) => writeCursor([createdAt, user.id]),
  };
}

const staffRank: Readonly<Record<DeploymentRole, number>> = { user: 0, moderator: 1, admin: 2, server: 3 };

/** Staff ban only below their own role. @throws Failure `forbidden` */
export function requireHigherStaff(caller: Pick<Caller, 'role'>, role: DeploymentRole): void {
  if (!isStaff(caller) || staffRank[caller.role] <= staffRank[role])
    throw new Failure('forbidden', 'the user has the same or a higher role');
}

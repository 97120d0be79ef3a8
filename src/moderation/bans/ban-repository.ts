/** The rows of bans. A ban that is lifted or over stays for the record; functions that read skip it. */
import { and, eq, sql as fragment, isNull, type SQL } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { EntryLock } from '../../chat/membership/room-ban-repository.ts';
import type { Database, Sql, Transaction } from '../../database/connect.ts';
import { moderationBans } from '../../database/tables/moderation-tables.ts';
import { users } from '../../database/tables/user-tables.ts';
import type { DeploymentRole } from '../../permissions.ts';
import type { Place } from '../scope/list-place.ts';

export interface BanRow {
  readonly userId: string;
  /** null: the whole deployment. */
  readonly roomId: string | null;
  readonly reason: string | null;
  readonly createdBy: string;
  readonly createdAt: Date;
  /** null: until it is lifted. */
  readonly expiresAt: Date | null;
}

export interface NewBan {
  readonly createdBy: string;
  /** From now, by Postgres' clock; undefined: until it is lifted. */
  readonly seconds: number | undefined;
  readonly reason: string | undefined;
}

declare const userBansLocked: unique symbol;

/** Proof that the transaction holds the lock of one user's bans: of two changes at once, the one that commits last counts. */
export interface UserBansLock {
  readonly userId: string;
  readonly roomId: string | undefined;
  readonly [userBansLocked]: true;
}

/** @param roomId of the ban that is to change; undefined: of the deployment */
export async function lockUserBans(tx: Transaction, userId: string, roomId: string | undefined): Promise<UserBansLock> {
  await tx.execute(fragment`select pg_advisory_xact_lock(hashtextextended(${`ban ${userId}`}, 0))`);
  return { userId, roomId } as UserBansLock;
}

/**
 * Replaces the ban of a user in a room, or in the deployment.
 * @param lock a ban in a room needs the entry lock, which orders it against joins
 * @returns when it ends; null: when it is lifted
 */
export async function replaceBan(
  tx: Transaction,
  lock: EntryLock | UserBansLock,
  { createdBy, seconds, reason }: NewBan,
): Promise<Date | null> {
  await liftBan(tx, lock);
  const { userId, roomId } = lock;
  const expiresAt: SQL | null =
    seconds === undefined ? null : fragment`now()::timestamptz(3) + ${seconds} * interval '1 second'`;
  const [row] = await tx
    .insert(moderationBans)
    .values({ id: uuidv7(), userId, roomId, reason, createdBy, expiresAt })
    .returning({ expiresAt: moderationBans.expiresAt });
  return row!.expiresAt;
}

/** @returns whether there was a ban to lift */
export async function liftBan(tx: Transaction, { userId, roomId }: EntryLock | UserBansLock): Promise<boolean> {
  const sameRoom = roomId === undefined ? isNull(moderationBans.roomId) : eq(moderationBans.roomId, roomId);
  const lifted = await tx
    .update(moderationBans)
    .set({ liftedAt: fragment`now()` })
    .where(and(eq(moderationBans.userId, userId), sameRoom, isNull(moderationBans.liftedAt)))
    .returning({ id: moderationBans.id });
  return lifted.length > 0;
}

export async function findBan(sql: Sql, userId: string, roomId: string | undefined): Promise<BanRow | undefined> {
  return (await select(sql, sql`user_id = ${userId} and ${inRoom(sql, roomId)}`, 1))[0];
}

/** Newest first. @param roomId undefined: the bans of the deployment */
export async function listBans(
  sql: Sql,
  roomId: string | undefined,
  after: Place | undefined,
  limit: number,
): Promise<BanRow[]> {
  const older = after ? sql`(created_at, user_id) < (${after.at}::timestamptz, ${after.id}::uuid)` : sql`true`;
  return select(sql, sql`${inRoom(sql, roomId)} and ${older}`, limit);
}

function inRoom(sql: Sql, roomId: string | undefined) {
  return roomId === undefined ? sql`room_id is null` : sql`room_id = ${roomId}`;
}

async function select(sql: Sql, condition: ReturnType<Sql>, limit: number): Promise<BanRow[]> {
  return sql<BanRow[]>`
      select user_id as "userId", room_id as "roomId", reason, created_by as "createdBy", created_at as "createdAt", expires_at as "expiresAt"
      from moderation_bans
      where ${condition} and lifted_at is null and (expires_at is null or expires_at > now())
      order by created_at desc, user_id desc limit ${limit}`;
}

/** The deployment role of a user; undefined for nobody, and for a user who was erased. */
export async function findRole(db: Database, userId: string): Promise<DeploymentRole | undefined> {
  const [user] = await db
    .select({ role: users.role })
    .from(users)
    .where(and(eq(users.id, userId), isNull(users.erasedAt)));
  return user?.role;
}

/** The rows of invites. An invite whose time is over is not found; its row goes when the next invite of the room is made. */
import { and, desc, eq, gt, lt, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { invites } from '../../database/tables/room-tables.ts';

export type InviteRow = typeof invites.$inferSelect;

export interface NewInviteRow extends Pick<InviteRow, 'id' | 'roomId' | 'codeHash' | 'sealedCode' | 'createdBy'> {
  /** Its creator was no member of the room, but a server or staff. */
  readonly byStaff: boolean;
  readonly lifetimeSeconds: number;
  /** null: no limit. */
  readonly maxUses: number | null;
}

const holds = gt(invites.expiresAt, sql`now()`);

/** Deletes the room's invites whose time is over. @returns how many are left */
export async function countInvites(tx: Transaction, roomId: string): Promise<number> {
  await tx.delete(invites).where(and(eq(invites.roomId, roomId), sql`${invites.expiresAt} <= now()`));
  const [live] = await tx.select({ count: sql<number>`count(*)::int` }).from(invites).where(eq(invites.roomId, roomId));
  return live?.count ?? 0;
}

export async function insertInvite(tx: Transaction, { lifetimeSeconds, ...row }: NewInviteRow): Promise<InviteRow> {
  const expiresAt = sql`date_trunc('milliseconds', now()) + ${lifetimeSeconds} * interval '1 second'`;
  const [stored] = await tx
    .insert(invites)
    .values({ ...row, expiresAt })
    .returning();
  return stored!;
}

/** Also one whose time is over. */
export async function findInvite(db: Database, id: string): Promise<InviteRow | undefined> {
  const [row] = await db.select().from(invites).where(eq(invites.id, id));
  return row;
}

export async function findInviteByCode(
  db: Database,
  codeHash: Buffer,
): Promise<{ id: string; roomId: string } | undefined> {
  const [found] = await db
    .select({ id: invites.id, roomId: invites.roomId })
    .from(invites)
    .where(and(eq(invites.codeHash, codeHash), holds));
  return found;
}

/** Locks the invite: of several acceptances at once, one after the other counts its use. */
export async function lockInvite(tx: Transaction, id: string): Promise<InviteRow | undefined> {
  const [row] = await tx.select().from(invites).where(eq(invites.id, id)).for('update');
  return row;
}

/** @returns whether the invite still held */
export async function countUse(tx: Transaction, id: string): Promise<boolean> {
  const used = await tx
    .update(invites)
    .set({ uses: sql`${invites.uses} + 1` })
    .where(and(eq(invites.id, id), holds))
    .returning({ uses: invites.uses });
  return used.length > 0;
}

/** Newest first. @param createdBy undefined: by anybody. @param before the last id of the page before */
export async function listInviteRows(
  db: Database,
  {
    roomId,
    createdBy,
    before,
    limit,
  }: { roomId: string; createdBy: string | undefined; before: string | undefined; limit: number },
): Promise<InviteRow[]> {
  const own = createdBy === undefined ? undefined : eq(invites.createdBy, createdBy);
  const older = before === undefined ? undefined : lt(invites.id, before);
  return db
    .select()
    .from(invites)
    .where(and(eq(invites.roomId, roomId), holds, own, older))
    .orderBy(desc(invites.id))
    .limit(limit);
}

/**
 * Waits for an acceptance that holds the row: that one came first.
 * @param createdBy undefined: by anybody
 * @returns whether there was such an invite
 */
export async function deleteInvite(
  db: Database,
  { id, roomId, createdBy }: { id: string; roomId: string; createdBy: string | undefined },
): Promise<boolean> {
  const own = createdBy === undefined ? undefined : eq(invites.createdBy, createdBy);
  const deleted = await db
    .delete(invites)
    .where(and(eq(invites.id, id), eq(invites.roomId, roomId), own))
    .returning({ id: invites.id });
  return deleted.length > 0;
}

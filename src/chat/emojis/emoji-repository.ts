/** The SQL of custom emoji. */
import { eq, gt, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { customEmojis } from '../../database/tables/conversation-tables.ts';

export interface StoredEmoji {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly createdBy: string;
  readonly createdAt: Date;
}

const described = {
  id: customEmojis.id,
  name: customEmojis.name,
  type: customEmojis.type,
  createdBy: customEmojis.createdBy,
  createdAt: customEmojis.createdAt,
};

/** By name, after a name. */
export function readEmojis(db: Database, after: string, limit: number): Promise<StoredEmoji[]> {
  return db
    .select(described)
    .from(customEmojis)
    .where(gt(customEmojis.name, after))
    .orderBy(customEmojis.name)
    .limit(limit);
}

export async function findImage(
  db: Database | Transaction,
  name: string,
): Promise<(StoredEmoji & { readonly image: Buffer }) | undefined> {
  const [row] = await db
    .select({ ...described, image: customEmojis.image })
    .from(customEmojis)
    .where(eq(customEmojis.name, name));
  return row;
}

export async function hasEmoji(db: Database, name: string): Promise<boolean> {
  const rows = await db.select({ id: customEmojis.id }).from(customEmojis).where(eq(customEmojis.name, name));
  return rows.length > 0;
}

/** Lets one transaction at a time add emoji, so that their number is exact. @returns how many there are */
export async function lockAndCount(tx: Transaction): Promise<number> {
  await tx.execute(sql`lock table custom_emojis in share row exclusive mode`);
  const [row] = await tx.select({ count: sql<number>`count(*)::int` }).from(customEmojis);
  return row!.count;
}

export async function insertEmoji(
  tx: Transaction,
  emoji: Omit<StoredEmoji, 'createdAt'> & { readonly image: Buffer },
): Promise<StoredEmoji> {
  const [row] = await tx.insert(customEmojis).values(emoji).returning(described);
  return row!;
}

/** @returns its id; undefined where there is none of this name */
export async function deleteEmoji(tx: Transaction, name: string): Promise<string | undefined> {
  const [row] = await tx.delete(customEmojis).where(eq(customEmojis.name, name)).returning({ id: customEmojis.id });
  return row?.id;
}

/** Of one user, for the archive. */
export function readOfUser(db: Database, userId: string): Promise<StoredEmoji[]> {
  return db.select(described).from(customEmojis).where(eq(customEmojis.createdBy, userId)).orderBy(customEmojis.name);
}

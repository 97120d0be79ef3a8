/** SQL of bookmarks, and of the reminders that fall due. */
import { and, eq, sql } from 'drizzle-orm';
import type { Database, Sql, Transaction } from '../../database/connect.ts';
import { addJob } from '../../database/queue.ts';
import { bookmarks } from '../../database/tables/conversation-tables.ts';

export interface BookmarkKey {
  readonly userId: string;
  readonly roomId: string;
  readonly messageId: string;
}

export interface Bookmark {
  readonly roomId: string;
  readonly messageId: string;
  readonly note: string;
  /** RFC 3339. */
  readonly remindAt: string | null;
  /** The time has come, and the user's devices were told. */
  readonly reminded: boolean;
  readonly createdAt: string;
}

/** A bookmark, and where its message is; 0 if there is none any more. */
export interface BookmarkRow extends Bookmark {
  readonly seq: number;
}

/** A reminder that fell due just now. */
export interface DueReminder {
  readonly userId: string;
  readonly roomId: string;
  readonly messageId: string;
  readonly note: string;
  readonly remindAt: Date;
}

const isBookmark = ({ userId, roomId, messageId }: BookmarkKey) =>
  and(eq(bookmarks.userId, userId), eq(bookmarks.messageId, messageId), eq(bookmarks.roomId, roomId));

export async function findBookmark(tx: Transaction, key: BookmarkKey): Promise<Bookmark | undefined> {
  const [row] = await tx.select().from(bookmarks).where(isBookmark(key));
  return row && toBookmark(row);
}

export async function countBookmarks(tx: Transaction, userId: string): Promise<number> {
  return tx.$count(bookmarks, eq(bookmarks.userId, userId));
}

/** Another time starts a new reminder; the same time keeps whether the reminder was sent. Wakes a job worker at the time. */
export async function saveBookmark(
  tx: Transaction,
  key: BookmarkKey,
  { note, remindAt }: { readonly note: string; readonly remindAt: Date | null },
): Promise<Bookmark> {
  const remindedAt = sql`case when ${bookmarks.remindAt} is not distinct from excluded.remind_at then ${bookmarks.remindedAt} end`;
  const [row] = await tx
    .insert(bookmarks)
    .values({ ...key, note, remindAt })
    .onConflictDoUpdate({ target: [bookmarks.userId, bookmarks.messageId], set: { note, remindAt, remindedAt } })
    .returning();
  if (remindAt) await wakeAt(tx, remindAt);
  return toBookmark(row!);
}

/** One job for all reminders of the same time. */
async function wakeAt(tx: Transaction, remindAt: Date): Promise<void> {
  const at = remindAt.toISOString();
  await addJob(tx, 'bookmark_reminders', {}, { key: `bookmark-reminders:${at}`, runAt: sql`${at}::timestamptz` });
}

/** @returns whether there was one */
export async function deleteBookmark(db: Database, key: BookmarkKey): Promise<boolean> {
  return (await db.delete(bookmarks).where(isBookmark(key)).returning({ id: bookmarks.messageId })).length > 0;
}

export async function deleteBookmarksOf(tx: Transaction, userId: string): Promise<void> {
  await tx.delete(bookmarks).where(eq(bookmarks.userId, userId));
}

export async function exportBookmarks(db: Database, userId: string): Promise<Bookmark[]> {
  return (await db.select().from(bookmarks).where(eq(bookmarks.userId, userId))).map(toBookmark);
}

/** The newest first. @param before the last one of the page before */
export async function listBookmarks(
  db: Database,
  userId: string,
  { before, limit }: { before: { createdAt: string; messageId: string } | undefined; limit: number },
): Promise<BookmarkRow[]> {
  const older = before
    ? sql`(b.created_at, b.message_id) < (${before.createdAt}::timestamptz, ${before.messageId}::uuid)`
    : sql`true`;
  const rows = await db.execute<{
    roomId: string;
    messageId: string;
    note: string;
    remindAt: string | null;
    remindedAt: string | null;
    createdAt: string;
    seq: string | null;
  }>(sql`
    select b.room_id as "roomId", b.message_id as "messageId", b.note, b.remind_at as "remindAt", b.reminded_at as "remindedAt",
      b.created_at as "createdAt", e.seq
    from bookmarks b left join events e on e.message_id = b.message_id and e.type = 'message.created' and e.room_id = b.room_id
    where b.user_id = ${userId} and ${older} order by b.created_at desc, b.message_id desc limit ${limit}`);
  return rows.map(({ seq, remindAt, remindedAt, createdAt, ...row }) => ({
    ...toBookmark({
      ...row,
      remindAt: remindAt === null ? null : new Date(remindAt),
      remindedAt: remindedAt === null ? null : new Date(remindedAt),
      createdAt: new Date(createdAt),
    }),
    seq: Number(seq ?? 0),
  }));
}

function toBookmark({
  roomId,
  messageId,
  note,
  remindAt,
  remindedAt,
  createdAt,
}: Pick<
  typeof bookmarks.$inferSelect,
  'roomId' | 'messageId' | 'note' | 'remindAt' | 'remindedAt' | 'createdAt'
>): Bookmark {
  return {
    ...{ roomId, messageId, note },
    remindAt: remindAt?.toISOString() ?? null,
    reminded: remindedAt !== null,
    createdAt: createdAt.toISOString(),
  };
}

/** Marks reminders that are due as sent. Each is returned once, to one instance. */
export async function claimReminders(sql: Sql, limit: number): Promise<DueReminder[]> {
  const rows = await sql<{ user_id: string; room_id: string; message_id: string; note: string; remind_at: Date }[]>`
    with due as (
      select user_id, message_id from bookmarks where remind_at <= now() and reminded_at is null
      order by remind_at limit ${limit} for update skip locked
    )
    update bookmarks b set reminded_at = now() from due where b.user_id = due.user_id and b.message_id = due.message_id
    returning b.user_id, b.room_id, b.message_id, b.note, b.remind_at`;
  return rows.map((row) => ({
    userId: row.user_id,
    roomId: row.room_id,
    messageId: row.message_id,
    note: row.note,
    remindAt: row.remind_at,
  }));
}

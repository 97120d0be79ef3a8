/** SQL of drafts that users keep on the server: one for each room and thread. */
import { and, eq, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { drafts } from '../../database/tables/conversation-tables.ts';
import { members, rooms } from '../../database/tables/room-tables.ts';

export interface SavedDraft {
  readonly roomId: string;
  /** Null for the draft of the room itself. */
  readonly threadId: string | null;
  readonly text: string;
  readonly attachmentIds: string[];
  /** RFC 3339, Postgres' clock: of two versions the later one counts. */
  readonly updatedAt: string;
}

export interface DraftKey {
  readonly userId: string;
  readonly roomId: string;
  readonly threadId: string | null;
}

/** In the table, the draft of a room itself has the id of the room in place of a thread. */
const keyOf = ({ userId, roomId, threadId }: DraftKey) => ({ userId, roomId, threadId: threadId ?? roomId });

const isDraft = (key: DraftKey) => {
  const { userId, roomId, threadId } = keyOf(key);
  return and(eq(drafts.userId, userId), eq(drafts.roomId, roomId), eq(drafts.threadId, threadId));
};

/** The user's drafts beside this one, those of rooms that they have left included. */
export async function countOtherDrafts(tx: Transaction, key: DraftKey): Promise<number> {
  const { userId, roomId, threadId } = keyOf(key);
  const isOther = sql`(${drafts.roomId}, ${drafts.threadId}) <> (${roomId}, ${threadId})`;
  return tx.$count(drafts, and(eq(drafts.userId, userId), isOther));
}

/** Writes the draft, or writes it over. @returns when, by Postgres' clock */
export async function saveDraft(
  tx: Transaction,
  key: DraftKey,
  { text, attachmentIds }: Pick<SavedDraft, 'text' | 'attachmentIds'>,
): Promise<Date> {
  const content = { text, attachmentIds, updatedAt: sql`clock_timestamp()` };
  const [row] = await tx
    .insert(drafts)
    .values({ ...keyOf(key), ...content })
    .onConflictDoUpdate({ target: [drafts.userId, drafts.roomId, drafts.threadId], set: content })
    .returning({ updatedAt: drafts.updatedAt });
  return row!.updatedAt;
}

/** @returns when, by Postgres' clock; undefined if there was none */
export async function deleteDraft(tx: Transaction, key: DraftKey): Promise<Date | undefined> {
  const [row] = await tx
    .delete(drafts)
    .where(isDraft(key))
    .returning({ at: sql<Date>`date_trunc('milliseconds', clock_timestamp())`.mapWith(drafts.updatedAt) });
  return row?.at;
}

export async function deleteDraftsOf(tx: Transaction, userId: string): Promise<void> {
  await tx.delete(drafts).where(eq(drafts.userId, userId));
}

const columns = {
  roomId: drafts.roomId,
  threadId: drafts.threadId,
  text: drafts.text,
  attachmentIds: drafts.attachmentIds,
  updatedAt: drafts.updatedAt,
};

/** The user's drafts in rooms that they are a member of, the newest first. */
export async function listDrafts(db: Database, userId: string): Promise<SavedDraft[]> {
  const rows = await db
    .select(columns)
    .from(drafts)
    .innerJoin(members, and(eq(members.roomId, drafts.roomId), eq(members.userId, drafts.userId)))
    .innerJoin(rooms, and(eq(rooms.id, drafts.roomId), sql`${rooms.deletedAt} is null`))
    .where(eq(drafts.userId, userId))
    .orderBy(sql`${drafts.updatedAt} desc`, drafts.roomId, drafts.threadId);
  return rows.map(toDraft);
}

/** All of them, for the user's archive. */
export async function exportDrafts(db: Database, userId: string): Promise<SavedDraft[]> {
  return (await db.select(columns).from(drafts).where(eq(drafts.userId, userId))).map(toDraft);
}

function toDraft({
  roomId,
  threadId,
  text,
  attachmentIds,
  updatedAt,
}: {
  roomId: string;
  threadId: string;
  text: string;
  attachmentIds: string[] | null;
  updatedAt: Date;
}): SavedDraft {
  return {
    roomId,
    threadId: threadId === roomId ? null : threadId,
    text,
    attachmentIds: attachmentIds ?? [],
    updatedAt: updatedAt.toISOString(),
  };
}

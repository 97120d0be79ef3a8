/**
 * SQL of deletions. Rows of attachments are deleted at once; the ids of their bytes go into `file_deletions` in the same
 * transaction, and stay there until the store has confirmed that the bytes are gone.
 */
import { type SQL, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { idList } from './attachment-repository.ts';

/** Most rows of one statement. */
const batchMax = 500;

/**
 * Deletes attachments and owes the deletion of their bytes. An upload that is still under way may store bytes until it
 * times out, so theirs are deleted after that.
 * @returns how many there were
 */
async function deleteWhere(db: Database | Transaction, condition: SQL, timeout: number): Promise<number> {
  const [deleted] = await db.execute<{ count: number }>(sql`
    with gone as (delete from attachments where ${condition} returning file_id, state, created_at),
    owed as (
      insert into file_deletions (key, due_at)
      select file_id::text, max(case when state = 'pending' then created_at + ${timeout} * interval '1 millisecond' else now() end)
      from gone group by file_id order by file_id
      on conflict (key) do update set due_at = greatest(excluded.due_at, now())
    )
    select count(*)::int as count from gone`);
  return deleted!.count;
}

/** @param timeout of uploads, milliseconds */
export async function deleteOfMessages(tx: Transaction, messageIds: readonly string[], timeout: number): Promise<void> {
  await deleteWhere(tx, sql`message_id = any(${idList(messageIds)})`, timeout);
}

/** A failed upload: nothing of it stays. Its request has ended, so the bytes may go at once. */
export async function deleteUpload(db: Database | Transaction, id: string): Promise<void> {
  await deleteWhere(db, sql`id = ${id}`, 0);
}

/** The uploads of a user that no message shows yet. */
export async function deleteUnsent(tx: Transaction, ownerId: string, timeout: number): Promise<void> {
  await deleteWhere(tx, sql`owner_id = ${ownerId} and message_id is null`, timeout);
}

/** Everything that a user uploaded, wherever it is shown, in short steps. */
export async function deleteUploadsOf(db: Database, userId: string, timeout: number): Promise<void> {
  for (const column of [sql`uploader_id`, sql`owner_id`]) {
    const some = sql`id in (select id from attachments where ${column} = ${userId} order by id limit ${batchMax} for update)`;
    while ((await deleteWhere(db, some, timeout)) === batchMax);
  }
}

export interface SweepLimits {
  /** Milliseconds. */
  readonly timeout: number;
  readonly orphanLifetime: number;
}

/**
 * Deletes uploads that ended without an answer, as when their instance was killed, and those that no message named in time.
 * A draft or a scheduled message keeps what it names.
 * @returns whether there may be more
 */
export async function deleteOrphans(db: Database, { timeout, orphanLifetime }: SweepLimits): Promise<boolean> {
  const older = (ms: number) => sql`a.created_at < now() - ${ms} * interval '1 millisecond'`;
  const count = await deleteWhere(
    db,
    sql`id in (
      select a.id from attachments a where a.message_id is null
        and ((a.state = 'pending' and ${older(timeout)}) or (a.state = 'ready' and ${older(orphanLifetime)}
          and not exists (select from drafts d where d.user_id = a.owner_id and a.id = any(d.attachment_ids))
          and not exists (select from scheduled_messages s where s.author_id = a.owner_id and s.state in ('waiting', 'sending')
            and s.draft -> 'attachmentIds' ? a.id::text)
          and not exists (select from unjudged_messages u where u.author_id = a.owner_id
            and u.parts #> '{parts,attachmentIds}' ? a.id::text)))
      order by a.id limit ${batchMax} for update skip locked)`,
    timeout,
  );
  return count === batchMax;
}

export interface OwedDeletion {
  readonly key: string;
  /** Until then no other instance tries. As Postgres writes it. */
  readonly claimedUntil: string;
  readonly [column: string]: unknown;
}

/** Takes deletions that are due. One that is not confirmed within `claimMs` is due again. */
export function claimDeletions(db: Database, limit: number, claimMs: number): Promise<readonly OwedDeletion[]> {
  return db.execute<OwedDeletion>(sql`
    update file_deletions set due_at = clock_timestamp() + ${claimMs} * interval '1 millisecond' where key in (
      select key from file_deletions where due_at <= now() order by due_at limit ${limit} for update skip locked)
    returning key, due_at::text as "claimedUntil"`);
}

/** Once no row refers to the bytes, none ever will: rows are copied from rows, under a lock (`copyAttachments`). */
export async function isStillShown(db: Database, fileId: string): Promise<boolean> {
  const rows = await db.execute(sql`select from attachments where file_id = ${fileId}::uuid limit 1`);
  return rows.length > 0;
}

/** Nothing is owed any more, unless another row was deleted since the claim. */
export async function settleDeletion(db: Database, { key, claimedUntil }: OwedDeletion): Promise<void> {
  await db.execute(sql`delete from file_deletions where key = ${key} and due_at = ${claimedUntil}::timestamptz`);
}

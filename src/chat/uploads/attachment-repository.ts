/** SQL of attachments: from the upload to the message that shows them. file-deletion-repository.ts has what ends them. */
import { sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { newId } from '../../database/new-id.ts';
import { Failure } from '../../errors.ts';

/** Some ids as a Postgres array. */
export const idList = (ids: readonly string[]) => sql`${`{${ids.join(',')}}`}::uuid[]`;

// ── Uploading ──

export interface Reservation {
  readonly id: string;
  readonly ownerId: string;
  readonly name: string;
  /** The most that the upload may take; its real size replaces it. */
  readonly bytes: number;
}

export interface ReservationLimits {
  readonly quotaBytes: number;
  /** Uploads of one user at once, on all instances together. */
  readonly perUserMax: number;
  /** An upload that is older has ended, however it ended. */
  readonly timeout: number;
}

/**
 * Notes an upload before its first byte is stored, so that no byte is stored that no row knows of. Uploads of one user take
 * turns here, so that parallel ones cannot exceed the quota together.
 * @throws Failure `too_large` beyond the quota, `rate_limited` with too many uploads at once
 */
export async function reserveUpload(
  db: Database,
  { id, ownerId, name, bytes }: Reservation,
  { quotaBytes, perUserMax, timeout }: ReservationLimits,
): Promise<void> {
  await db.transaction(async (tx) => {
    const used = await lockUsage(tx, ownerId, timeout);
    if (used.uploads >= perUserMax)
      throw new Failure('rate_limited', `at most ${perUserMax} uploads at once`, { retryAfterMs: 1000 });
    requireQuota(used.bytes + bytes, used.bytes, quotaBytes);
    await tx.execute(sql`
      insert into attachments (id, owner_id, file_id, uploader_id, name, type, stored_bytes, size, state)
      values (${id}, ${ownerId}, ${id}, ${ownerId}, ${name}, 'application/octet-stream', ${bytes}, 0, 'pending')`);
  });
}

/** What a user has stored or reserved, and their uploads under way. No other transaction changes it until this one ends. */
async function lockUsage(
  tx: Transaction,
  ownerId: string,
  timeout: number,
): Promise<{ bytes: number; uploads: number }> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`uploads of ${ownerId}`}, 0))`);
  const [used] = await tx.execute<{ bytes: number; uploads: number }>(sql`
    select coalesce(sum(stored_bytes), 0)::float8 as bytes,
      (count(*) filter (where state = 'pending' and created_at > now() - ${timeout} * interval '1 millisecond'))::int as uploads
    from attachments where owner_id = ${ownerId}`);
  return used!;
}

function requireQuota(wanted: number, used: number, quotaBytes: number): void {
  if (wanted <= quotaBytes) return;
  throw new Failure('too_large', 'your files would take more than your quota', {
    details: { quotaBytes, usedBytes: used },
  });
}

/** What is known of a file once it is stored. */
export interface StoredFile {
  readonly type: string;
  readonly size: number;
  readonly width: number | null;
  readonly height: number | null;
  readonly blurhash: string | null;
  readonly thumbnail: { readonly type: string; readonly size: number } | null;
}

/**
 * Makes an upload ready to be sent.
 * @throws Failure `too_large` if its real size does not fit into the quota, `not_found` if its account has ended
 */
export async function finishUpload(
  db: Database,
  { id, ownerId }: Pick<Reservation, 'id' | 'ownerId'>,
  { type, size, width, height, blurhash, thumbnail }: StoredFile,
  { quotaBytes, timeout }: Pick<ReservationLimits, 'quotaBytes' | 'timeout'>,
): Promise<void> {
  const bytes = size + (thumbnail?.size ?? 0);
  await db.transaction(async (tx) => {
    await lockUsage(tx, ownerId, timeout);
    const rows = await tx.execute(sql`
      update attachments set type = ${type}, size = ${size}, stored_bytes = ${bytes}, width = ${width}, height = ${height},
        blurhash = ${blurhash}, thumbnail_type = ${thumbnail?.type ?? null}, thumbnail_size = ${thumbnail?.size ?? null},
        state = 'ready', created_at = now()
      where id = ${id} and state = 'pending' returning id`);
    if (rows.length === 0) throw new Failure('not_found', 'the upload has ended');
    const after = await lockUsage(tx, ownerId, timeout);
    requireQuota(after.bytes, after.bytes - bytes, quotaBytes);
  });
}

// ── In messages ──

export interface AttachmentRow extends Omit<StoredFile, 'thumbnail'> {
  readonly id: string;
  readonly name: string;
  readonly thumbnailType: string | null;
  readonly [column: string]: unknown;
}

const shownColumns = sql`id, name, type, size::float8 as size, width, height, blurhash, thumbnail_type as "thumbnailType"`;

/** The files that messages list, in their order. */
export async function findOfMessages(
  db: Database | Transaction,
  messageIds: readonly string[],
): Promise<(AttachmentRow & { messageId: string })[]> {
  return db.execute<AttachmentRow & { messageId: string }>(sql`
    select message_id as "messageId", ${shownColumns} from attachments
    where message_id = any(${idList(messageIds)}) and position is not null order by message_id, position`);
}

export async function findUploaded(db: Database, id: string): Promise<AttachmentRow | undefined> {
  const [row] = await db.execute<AttachmentRow>(sql`
    select ${shownColumns} from attachments where id = ${id} and state = 'ready'`);
  return row;
}

export interface ShownIn {
  readonly roomId: string;
  readonly messageId: string;
  /** The author of the message. */
  readonly ownerId: string;
}

/**
 * Makes a user's unsent uploads part of a message, in the order of `ids`. Of two messages that name the same file, one gets it.
 * @returns the ids that the user has no unsent upload of
 */
export async function claimUploads(
  tx: Transaction,
  ids: readonly string[],
  { roomId, messageId, ownerId }: ShownIn,
): Promise<string[]> {
  // Locked in the order of ids, so that two sends that share files do not wait for each other.
  const found = await tx.execute<{ id: string }>(sql`
    select id from attachments where id = any(${idList(ids)}) and owner_id = ${ownerId} and message_id is null
      and state = 'ready' order by id for update`);
  const known = new Set(found.map(({ id }) => id));
  const unknown = ids.filter((id) => !known.has(id));
  if (unknown.length > 0) return unknown;
  await tx.execute(sql`
    update attachments a set room_id = ${roomId}, message_id = ${messageId}, position = named.place
    from unnest(${idList(ids)}) with ordinality as named (id, place) where a.id = named.id`);
  return [];
}

/**
 * Gives a forwarded message the files of another one. The copies share the bytes, which stay until the last of them is
 * deleted, and each counts towards the quota of its owner.
 *
 * Called in the transaction that appends the new message; set `messageMarks.attachments` when the result is not 0.
 * @returns how many files there are
 * @throws Failure `too_large` beyond the quota of the new owner
 */
export async function copyAttachments(
  tx: Transaction,
  fromMessageId: string,
  { roomId, messageId, ownerId }: ShownIn,
  { quotaBytes, timeout }: Pick<ReservationLimits, 'quotaBytes' | 'timeout'>,
): Promise<number> {
  // The share lock holds off a deletion of the last row, and with it of the bytes, until the copies are committed.
  const from = await tx.execute<{ id: string }>(sql`
    select id from attachments where message_id = ${fromMessageId} and position is not null and state = 'ready'
    order by id for share`);
  if (from.length === 0) return 0;
  await lockUsage(tx, ownerId, timeout);
  const copies = from.map(() => newId());
  await tx.execute(sql`
    insert into attachments (id, owner_id, file_id, uploader_id, room_id, message_id, position, name, type, stored_bytes, size,
      width, height, blurhash, thumbnail_type, thumbnail_size, state)
    select copy.id, ${ownerId}, file_id, uploader_id, ${roomId}, ${messageId},
      position + (select coalesce(max(position), 0) from attachments where message_id = ${messageId}), name, type, stored_bytes,
      size, width, height, blurhash, thumbnail_type, thumbnail_size, state
    from unnest(${idList(from.map(({ id }) => id))}, ${idList(copies)}) as copy (from_id, id)
    join attachments a on a.id = copy.from_id`);
  const { bytes } = await lockUsage(tx, ownerId, timeout);
  requireQuota(bytes, bytes, quotaBytes);
  return from.length;
}

// ── Fetching ──

export interface FetchableFile {
  readonly id: string;
  readonly fileId: string;
  readonly ownerId: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly thumbnailType: string | null;
  readonly thumbnailSize: number | null;
  /** Null while no message shows the file. */
  readonly roomId: string | null;
  readonly messageId: string | null;
  /** Of the message. */
  readonly seq: number | null;
  readonly [column: string]: unknown;
}

/** A file that somebody may fetch: not one whose message was deleted or removed, or whose room was deleted. */
export async function findFetchable(db: Database, id: string): Promise<FetchableFile | undefined> {
  const [row] = await db.execute<FetchableFile>(sql`
    select a.id, a.file_id as "fileId", a.owner_id as "ownerId", a.name, a.type, a.size::float8 as size, a.room_id as "roomId",
      a.thumbnail_type as "thumbnailType", a.thumbnail_size as "thumbnailSize", a.message_id as "messageId", e.seq::float8 as seq
    from attachments a
    left join events e on e.message_id = a.message_id and e.type = 'message.created' and e.deleted_at is null
    left join rooms r on r.id = e.room_id and r.deleted_at is null
    where a.id = ${id} and a.state = 'ready' and (a.message_id is null or r.id is not null)`);
  return row;
}

// ── Personal data ──

export function readAttachments(db: Database, ownerId: string, after: string, limit: number) {
  return db.execute<AttachmentRow & { roomId: string | null; messageId: string | null; createdAt: string }>(sql`
    select ${shownColumns}, room_id as "roomId", message_id as "messageId",
      to_char(created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "createdAt"
    from attachments where owner_id = ${ownerId} and state = 'ready' and id > ${after} order by id limit ${limit}`);
}

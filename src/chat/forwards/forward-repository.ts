/** SQL of forwarding: what is copied, whether the sender may read it, and where a forwarded message came from. */
import { sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { requireNotBanned } from '../membership/room-ban-repository.ts';
import type { MessagePlace } from '../messages/message-version-repository.ts';
import type { CommentLength, RenderedText } from '../state/forwarded-text.ts';

/** In `events.data` of a forwarded message. */
export interface ForwardRecord {
  /** Who wrote the message first. */
  readonly senderId: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** Absent where the message is the copy alone. */
  readonly comment?: CommentLength;
}

/** A message that is being copied, locked so that it is neither edited nor deleted before the commit. */
export interface ForwardSource extends RenderedText {
  readonly seq: number;
  readonly senderId: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly marks: number;
  /** If it was forwarded itself. */
  readonly forwarded: ForwardRecord | null;
}

const isoTime = (column: string) => sql.raw(`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`);

/** @returns undefined where there is no such message, or it is deleted */
export async function lockSource(
  tx: Transaction,
  { roomId, messageId }: MessagePlace,
): Promise<ForwardSource | undefined> {
  const [row] = await tx.execute<{
    seq: string;
    senderId: string;
    text: string | null;
    html: string | null;
    createdAt: string;
    marks: number;
    forwarded: ForwardRecord | null;
  }>(sql`
    select seq::text as seq, actor_id as "senderId", text, html, ${isoTime('at')} as "createdAt", marks, data -> 'forwarded' as forwarded
    from events where room_id = ${roomId} and message_id = ${messageId} and type = 'message.created' and deleted_at is null
    for share`);
  return row && { ...row, seq: Number(row.seq), text: row.text ?? '', html: row.html ?? '' };
}

/**
 * The first seq that the user may read in a room, as long as the transaction lasts: the rows that decide are locked, so a
 * removal from the room comes either before this or after the commit. Staff who may read a room only because they opened it
 * do not carry its messages elsewhere.
 * @returns undefined if the user may not read there
 * @throws Failure `banned`
 */
export async function lockReadable(
  tx: Transaction,
  { roomId, userId }: { readonly roomId: string; readonly userId: string },
): Promise<number | undefined> {
  const [room] = await tx.execute<{ visibility: string; history: string }>(sql`
    select visibility, history from rooms where id = ${roomId} and deleted_at is null for share`);
  if (!room) return undefined;
  const [member] = await tx.execute<{ joinedSeq: string }>(sql`
    select joined_seq::text as "joinedSeq" from members where room_id = ${roomId} and user_id = ${userId} for share`);
  if (member) return room.history === 'joined' ? Number(member.joinedSeq) : 1;
  if (room.visibility !== 'public' || room.history === 'joined') return undefined;
  await requireNotBanned(tx, roomId, userId);
  return 1;
}

/** @param names in lower case. @returns those that are names of members of the room */
export async function memberNames(
  tx: Transaction,
  roomId: string,
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  if (names.length === 0) return new Set();
  const rows = await tx.execute<{ name: string }>(sql`
    select lower(u.username) as name from users u join members m on m.user_id = u.id and m.room_id = ${roomId}
    where lower(u.username) in (${sql.join(
      names.map((name) => sql`${name}`),
      sql`, `,
    )}) and u.erased_at is null`);
  return new Set(rows.map(({ name }) => name));
}

/** The records of forwarded messages; the text only of those with a comment. */
export async function readForwardRecords(db: Database | Transaction, messageIds: readonly string[]) {
  const rows = await db.execute<{ id: string; forwarded: ForwardRecord; text: string | null; html: string | null }>(sql`
    select message_id as id, data -> 'forwarded' as forwarded,
      case when data -> 'forwarded' ? 'comment' then text end as text, case when data -> 'forwarded' ? 'comment' then html end as html
    from events where message_id = any(${`{${messageIds.join(',')}}`}::uuid[]) and type = 'message.created'
      and deleted_at is null and data ? 'forwarded'`);
  return [...rows];
}

/** Forgets where messages came from. */
export async function deleteForwardRecords(tx: Transaction, messageIds: readonly string[]): Promise<void> {
  await tx.execute(sql`
    update events set data = data - 'forwarded'
    where message_id = any(${`{${messageIds.join(',')}}`}::uuid[]) and type = 'message.created' and data ? 'forwarded'`);
}

/**
 * How a message is stored in the columns of its `message.created` row. All statements that write or read messages take
 * their column lists from here, so that a new column is added in this file alone: docs/adding-a-message-field.md.
 */
import { plainArray, textArray } from '../../database/array-literal.ts';
import type { Sql } from '../../database/connect.ts';
import type { ModeratedDraft } from '../state/message-draft.ts';
import { type MessageExtras, noExtras, toExtras, tombstoneExtras } from '../state/message-extras.ts';
import { markColumn } from '../state/message-marks.ts';
import type { MessageFields } from '../state/message-shape.ts';

// ── Writing ──

/** A message as it is appended: its draft without what is known of its author and room. */
export type MessageRow = Omit<
  ModeratedDraft,
  'feed' | 'actor' | 'sessionId' | 'allowedAt' | 'epoch' | 'admittedMs' | 'isOpen' | 'sender' | 'flag' | 'parts'
> & {
  readonly seq: number;
};

const written =
  'room_id, seq, actor_id, message_id, client_id, digest, text, html, mentions, reply_to, mentions_all, thread_id, also_in_room';
const writtenFromInput = written.replace('mentions', 'mentions::uuid[]');
const constants = `'message.created', date_trunc('milliseconds', now())`;

/** `insert into …`: the columns of `insertedFromInput` and `insertedValues`, in their order. */
export function insertMessages(sql: Sql) {
  return sql.unsafe(`insert into events (type, at, ${written})`);
}

/** The select list of an insert from `inputRows`. */
export function insertedFromInput(sql: Sql) {
  return sql.unsafe(`${constants}, ${writtenFromInput}`);
}

/** The messages of a batch as rows of `i`. One array per column: Postgres plans the statement once for every size. */
export function inputRows(sql: Sql, rows: readonly MessageRow[]) {
  return sql`unnest(
        ${plainArray(rows.map((row) => row.roomId))}::uuid[], ${plainArray(rows.map((row) => row.seq))}::bigint[],
        ${plainArray(rows.map((row) => row.authorId))}::uuid[], ${plainArray(rows.map((row) => row.messageId))}::uuid[],
        ${textArray(rows.map((row) => row.clientId))}::text[], ${plainArray(rows.map((row) => row.digest))}::bigint[],
        ${textArray(rows.map((row) => row.text))}::text[], ${textArray(rows.map((row) => row.html))}::text[],
        ${textArray(rows.map((row) => plainArray(row.mentions)))}::text[], ${plainArray(rows.map((row) => row.replyTo))}::uuid[],
        ${plainArray(rows.map((row) => row.mentionsAll))}::text[], ${plainArray(rows.map((row) => row.threadId))}::uuid[],
        ${plainArray(rows.map((row) => (row.alsoInRoom ? 'true' : null)))}::boolean[]
      ) as i(${sql.unsafe(written)})`;
}

/** The select list of an insert of a single message: cheaper for Postgres than arrays of one. */
export function insertedValues(sql: Sql, row: MessageRow) {
  const { roomId, seq, authorId, messageId, clientId, digest, text, html, mentions, replyTo } = row;
  const { mentionsAll, threadId, alsoInRoom } = row;
  return sql`${sql.unsafe(constants)}, ${roomId}::uuid, ${seq}::bigint, ${authorId}::uuid, ${messageId}::uuid,
      ${clientId}::text, ${digest}::bigint, ${text}::text, ${html}::text, ${plainArray(mentions)}::uuid[], ${replyTo}::uuid,
      ${mentionsAll}::text, ${threadId}::uuid, ${alsoInRoom || null}::boolean`;
}

// ── Reading ──

/** The columns that `toMessageFields` reads. */
const readColumns = [
  'message_id',
  'seq',
  'actor_id',
  'client_id',
  'text',
  'html',
  'mentions',
  'reply_to',
  'at',
  'edited_at',
  'deleted_at',
  'mentions_all',
  'thread_id',
  'also_in_room',
  'marks',
] as const;

/** A row of the columns in `messageColumns`. */
export interface StoredMessage {
  message_id: string;
  seq: string | bigint;
  actor_id: string;
  client_id: string | null;
  text: string | null;
  html: string | null;
  mentions: string[] | null;
  reply_to: string | null;
  at: Date;
  edited_at: Date | null;
  deleted_at: Date | null;
  mentions_all: 'here' | 'room' | null;
  thread_id: string | null;
  also_in_room: boolean | null;
  marks: number;
}

/**
 * A select list, to be used with `sql.unsafe`.
 * @param alias of the table
 * @param instead expressions in place of columns, and other names for them: `{ at: 'm.at as created_at' }`
 */
export function messageColumns(
  alias: string,
  instead: Partial<Record<(typeof readColumns)[number], string>> = {},
): string {
  return readColumns
    .map((column) => instead[column] ?? (column === 'marks' ? markColumn(alias) : `${alias}.${column}`))
    .join(', ');
}

/** A condition: the message is in the history of the room itself, not in a thread alone. @param alias of the table */
export function isInRoom(alias: string): string {
  return `(${alias}.thread_id is null or ${alias}.also_in_room)`;
}

/**
 * A deleted message keeps its place and loses its content.
 * @param found what other tables hold of the message
 */
export function toMessageFields(
  row: Omit<StoredMessage, 'actor_id'>,
  roomId: string,
  replyCount: number,
  found?: Partial<MessageExtras>,
): MessageFields {
  const deletedAt = row.deleted_at?.toISOString() ?? null;
  return {
    id: row.message_id,
    roomId,
    seq: Number(row.seq),
    text: deletedAt ? '' : (row.text ?? ''),
    html: deletedAt ? '' : (row.html ?? ''),
    mentions: deletedAt ? [] : (row.mentions ?? []),
    replyTo: row.reply_to,
    replyCount,
    clientId: row.client_id,
    createdAt: row.at.toISOString(),
    editedAt: row.edited_at?.toISOString() ?? null,
    deletedAt,
    extras: extrasOf(
      { mentionsAll: row.mentions_all, threadId: row.thread_id, alsoInRoom: row.also_in_room },
      found,
      deletedAt !== null,
    ),
  };
}

/** The extras of a message that is read: what its row holds, and what was found in other tables. */
function extrasOf(
  { mentionsAll, threadId, alsoInRoom }: ThreadedColumns,
  found: Partial<MessageExtras> | undefined,
  isDeleted: boolean,
): MessageExtras {
  if (mentionsAll === null && threadId === null && found === undefined) return noExtras;
  const extras = toExtras({ ...found, mentionsAll, threadId, ...(alsoInRoom ? { alsoInRoom } : {}) });
  return isDeleted ? tombstoneExtras(extras) : extras;
}

interface ThreadedColumns {
  readonly mentionsAll: 'here' | 'room' | null;
  readonly threadId: string | null;
  readonly alsoInRoom: boolean | null;
}

// ── Reading many messages as one text ──

/** Ends each value of a packed page. A text that holds it gives too many values, which is noticed. */
const valueEnd = '\u0001';
const valuesPerMessage = 6;
const idLength = 36;

/**
 * Values that few messages have: mentions, the message replied to, when it was edited and deleted (seconds since the
 * epoch), whether it mentions everybody, its thread, whether it is in the room too, and its marks.
 */
type RareValues = readonly [
  ...[string[] | null, string | null, number | null, number | null],
  ...['here' | 'room' | null, string | null, boolean | null, number],
];
const noRareValues: RareValues = [null, null, null, null, null, null, null, 0];

/** An aggregate of the messages of `e` with their marks as `all_marks`: one value to read in place of hundreds. */
export const packedMessages = `string_agg(
  e.message_id::text || e.actor_id || e.seq || E'\\x01' || date_part('epoch', e.at) || E'\\x01' || coalesce(e.client_id, '') || E'\\x01'
    || e.text || E'\\x01' || e.html || E'\\x01'
    || case when e.mentions <> '{}' or e.reply_to is not null or e.edited_at is not null or e.deleted_at is not null
      or e.mentions_all is not null or e.thread_id is not null or e.all_marks <> 0 then
      json_build_array(e.mentions, e.reply_to, date_part('epoch', e.edited_at), date_part('epoch', e.deleted_at),
        e.mentions_all, e.thread_id, e.also_in_room, e.all_marks)::text else '' end,
  E'\\x01')`;

/** A message without what other tables hold of it: `withFound` adds that. */
export interface UnpackedMessage {
  readonly senderId: string;
  readonly fields: Omit<MessageFields, 'extras'>;
  readonly threaded: ThreadedColumns;
  readonly marks: number;
}

/** Completes a message of a page. @param found what other tables hold of it */
export function withFound(
  { fields, threaded }: UnpackedMessage,
  replyCount: number,
  found: Partial<MessageExtras> | undefined,
): MessageFields {
  return { ...fields, replyCount, extras: extrasOf(threaded, found, fields.deletedAt !== null) };
}

/**
 * @param packed the value of `packedMessages` over `count` messages
 * @returns at most `limit` of them, in their order; undefined when a text held the separator
 */
export function unpackMessages(
  packed: string | null,
  { roomId, count, limit }: { readonly roomId: string; readonly count: number; readonly limit: number },
): UnpackedMessage[] | undefined {
  if (count === 0) return [];
  const values = packed?.split(valueEnd);
  if (values?.length !== count * valuesPerMessage) return undefined;
  const messages: UnpackedMessage[] = [];
  for (let at = 0; messages.length < Math.min(count, limit); at += valuesPerMessage) {
    const ids = values[at]!;
    const rare = values[at + 5]!;
    const [mentions, replyTo, edited, deleted, mentionsAll, threadId, alsoInRoom, marks] =
      rare === '' ? noRareValues : (JSON.parse(rare) as RareValues);
    const fields = {
      id: ids.slice(0, idLength),
      roomId,
      seq: Number(ids.slice(2 * idLength)),
      createdAt: toTime(Number(values[at + 1])),
      clientId: values[at + 2]! || null,
      text: deleted === null ? values[at + 3]! : '',
      html: deleted === null ? values[at + 4]! : '',
      mentions: deleted === null ? (mentions ?? []) : [],
      replyTo,
      replyCount: 0,
      editedAt: edited === null ? null : toTime(edited),
      deletedAt: deleted === null ? null : toTime(deleted),
    };
    const senderId = ids.slice(idLength, 2 * idLength);
    messages.push({ senderId, fields, threaded: { mentionsAll, threadId, alsoInRoom }, marks });
  }
  return messages;
}

/** @param seconds since the epoch, with three decimals */
function toTime(seconds: number): string {
  return new Date(Math.round(seconds * 1000)).toISOString();
}

/** Reads the final state from the database, without proxies. */
import postgres from 'postgres';
import { eventId } from './chaos-client.ts';
import type { RoomEventRow, RoomFacts } from './entitlement.ts';
import type { FinalState, MessageView } from './state-checker.ts';

export interface StoredState extends FinalState {
  readonly facts: ReadonlyMap<string, RoomFacts>;
  /** Messages in the moderation queue, decided ones included. */
  readonly queued: ReadonlySet<string>;
}

type Row = Record<string, unknown> & { readonly data: Record<string, unknown> | null };

/** @param made each room as it was created */
export async function readState(
  url: string,
  made: ReadonlyMap<string, Pick<RoomFacts, 'history' | 'visibility'>>,
): Promise<StoredState> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const rooms = [...made.keys()];
  try {
    const rows = await sql<Row[]>`
      select room_id, seq::int, type, at, message_id, actor_id, client_id, text, data, deleted_at is not null as deleted
      from events where room_id = any(${rooms}) order by room_id, seq`;
    const members = await sql`select room_id, user_id from members where room_id = any(${rooms})`;
    const marks =
      await sql`select room_id, user_id, last_read_seq::int as seq from read_states where room_id = any(${rooms})`;
    const queued = await sql`select message_id from moderation_queue where room_id = any(${rooms})`;
    const edits = await sql`select message_id, version, text from message_edits where room_id = any(${rooms})`;
    const firstTexts = new Map(
      edits.filter(({ version }) => version === 0).map((row) => [row.message_id as string, row.text as string]),
    );
    const logs = new Map(
      rooms.map((id) => [id, rows.filter((row) => row.room_id === id).map((row) => toEvent(row, firstTexts))]),
    );
    const messages = rows.filter((row) => row.type === 'message.created').map(toView);
    return {
      logs,
      queued: new Set(queued.map((row) => row.message_id as string)),
      facts: new Map([...made].map(([id, room]) => [id, { ...room, log: logs.get(id)! }])),
      messages: new Map(messages.map((message) => [message.messageId, message])),
      versions: new Set([...messages.map(({ text }) => text), ...edits.map(({ text }) => text as string)]),
      members: new Map(
        rooms.map((id) => [
          id,
          new Set(members.filter((row) => row.room_id === id).map((row) => row.user_id as string)),
        ]),
      ),
      marks: new Map(marks.map((row) => [`${row.user_id} ${row.room_id}`, row.seq as number])),
    };
  } finally {
    await sql.end();
  }
}

/** The seq of each room's last event. */
export async function readHeads(url: string, rooms: readonly string[]): Promise<Map<string, number>> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const rows =
      await sql`select room_id, max(seq)::int as seq from events where room_id = any(${rooms as string[]}) group by 1`;
    return new Map(rows.map((row) => [row.room_id as string, row.seq as number]));
  } finally {
    await sql.end();
  }
}

function toEvent(row: Row, firstTexts: ReadonlyMap<string, string>): RoomEventRow {
  const type = row.type as string;
  const { userId, room } = (row.data ?? {}) as { userId?: string; room?: { visibility: 'public' | 'private' } };
  return {
    seq: row.seq as number,
    type,
    ...(row.message_id === null ? {} : { messageId: row.message_id as string }),
    id:
      type === 'message.created'
        ? (row.message_id as string)
        : eventId(type, (row.at as Date).toISOString(), { messageId: (row.message_id as string | null) ?? '' }),
    ...(row.client_id === null
      ? {}
      : {
          clientId: row.client_id as string,
          userId: row.actor_id as string,
          // The original text; nothing is left of a deleted message.
          ...(row.deleted ? {} : { text: firstTexts.get(row.message_id as string) ?? (row.text as string) }),
        }),
    ...(type.startsWith('member.') && userId !== undefined ? { subjectId: userId } : {}),
    ...(type === 'room.updated' && room ? { visibility: room.visibility } : {}),
  };
}

function toView(row: Row): MessageView {
  return {
    messageId: row.message_id as string,
    text: (row.text as string | null) ?? '',
    deleted: row.deleted as boolean,
  };
}

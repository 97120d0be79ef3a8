/**
 * Reads the room log and makes each event the JSON that every reader gets: live from another instance, by resume,
 * over REST. What is asked within one turn is one query, however many rooms and readers ask.
 */

import { coalesce } from '../../concurrency/coalesce.ts';
import { plainArray } from '../../database/array-literal.ts';
import type { Sql } from '../../database/connect.ts';
import type { FreshnessBatch } from '../../database/freshness-batch.ts';
import type { FeedEvent } from '../../realtime/feed/feed.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import { eventJson, toMessage, unknownProfile } from '../state/message-shape.ts';

interface EventRow {
  request: number;
  room_id: string;
  seq: string;
  type: string;
  at: Date;
  actor_id: string | null;
  message_id: string | null;
  data: Record<string, unknown> | null;
  // Of the message that a created or updated event shows.
  sender_id: string | null;
  message_seq: string | null;
  client_id: string | null;
  text: string | null;
  html: string | null;
  mentions: string[] | null;
  reply_to: string | null;
  created_at: Date | null;
  edited_at: Date | null;
  deleted_at: Date | null;
}

export interface LogReader {
  /** Events after `after`, at most `limit`, in seq order. */
  readonly read: (roomId: string, after: number, limit: number) => Promise<FeedEvent[]>;
  /** The newest seq of each room; rooms without a log are absent. */
  readonly heads: (roomIds: readonly string[]) => Promise<Map<string, number>>;
  /** The newest seq of one room as of now; requests share looks. */
  readonly head: (roomId: string) => Promise<number>;
  /** Replays that wait for their query. */
  readonly waiting: () => number;
}

interface ReadRequest {
  readonly roomId: string;
  readonly after: number;
  readonly limit: number;
}

/** Rooms of one query: keeps a storm's queries few and each well under the statement timeout. */
const roomsPerQuery = 64;

export function createLogReader({
  sql,
  look,
  profiles,
  settings,
}: {
  sql: Sql;
  look: FreshnessBatch;
  profiles: Profiles;
  /** Replay queries at once. */
  settings: { readonly concurrency: number };
}): LogReader {
  // A message that moderators gave back is the version that was there before (`versionSeq`), not a new one.
  async function readMany(requests: readonly ReadRequest[]): Promise<FeedEvent[][]> {
    const rows = await sql<EventRow[]>`
      select r.request, e.room_id, e.seq, e.type, e.at, e.actor_id, e.message_id, e.data,
        m.actor_id as sender_id, m.seq as message_seq, m.client_id, coalesce(v.text, m.text) as text, coalesce(v.html, m.html) as html,
        case when v.message_id is null then m.mentions else v.mentions end as mentions, m.reply_to, m.at as created_at,
        case when e.type = 'message.updated' then (case when e.data ? 'versionSeq' then (e.data ->> 'editedAt')::timestamptz else e.at end) end
          as edited_at, m.deleted_at
      from unnest(${requests.map((_, index) => index)}::int[], ${requests.map((each) => each.roomId)}::uuid[],
        ${requests.map((each) => String(each.after))}::bigint[], ${requests.map((each) => each.limit)}::int[]
      ) as r(request, room_id, after, max)
      cross join lateral (
        select * from events e where e.room_id = r.room_id and e.seq > r.after order by e.seq limit r.max
      ) e
      left join events m on e.type in ('message.created', 'message.updated') and m.message_id = e.message_id and m.type = 'message.created'
      left join message_edits v on e.type in ('message.created', 'message.updated') and v.message_id = e.message_id and v.seq = coalesce((e.data ->> 'versionSeq')::bigint, e.seq)
        and m.deleted_at is null
      order by r.request, e.seq`;
    const people = await profiles.byIds(peopleIn(rows));
    const answers: FeedEvent[][] = requests.map(() => []);
    for (const row of rows) answers[row.request]!.push({ seq: Number(row.seq), json: toJson(row, people) });
    return answers;
  }

  const readOne = coalesce(readMany, { batchMax: roomsPerQuery, atOnceMax: settings.concurrency });

  async function heads(roomIds: readonly string[]): Promise<Map<string, number>> {
    const rows = await sql<{ room_id: string; seq: string }[]>`
      select r.room_id, e.seq from unnest(${roomIds as string[]}::uuid[]) as r(room_id)
      cross join lateral (select seq from events e where e.room_id = r.room_id order by seq desc limit 1) e`;
    return new Map(rows.map((row) => [row.room_id, Number(row.seq)]));
  }

  const head = look.add<string, number>({
    column: (roomIds) => sql`(
      select json_object_agg(r.room_id, e.seq) from unnest(${plainArray(roomIds)}::uuid[]) as r(room_id)
      cross join lateral (select seq from events e where e.room_id = r.room_id order by seq desc limit 1) e)`,
    take: (value) => {
      const found = (value ?? {}) as Readonly<Record<string, number>>;
      return (roomId) => found[roomId] ?? 0;
    },
  });

  return { read: (roomId, after, limit) => readOne({ roomId, after, limit }), heads, head, waiting: readOne.waiting };
}

function peopleIn(rows: readonly EventRow[]): string[] {
  const ids = new Set<string>();
  for (const { sender_id, data } of rows) {
    if (sender_id) ids.add(sender_id);
    if (typeof data?.userId === 'string') ids.add(data.userId);
  }
  return [...ids];
}

function toJson(row: EventRow, people: ReadonlyMap<string, PublicProfile>): string {
  return eventJson(row.type, row.room_id, Number(row.seq), row.at.toISOString(), toData(row, people));
}

/** The `data` of an event as clients see it, from what the log stores. */
function toData(row: EventRow, people: ReadonlyMap<string, PublicProfile>): unknown {
  const profileOf = (id: string) => people.get(id) ?? unknownProfile(id);
  if (row.type === 'message.created' || row.type === 'message.updated') {
    const deletedAt = row.deleted_at?.toISOString() ?? null;
    const message = {
      id: row.message_id!,
      roomId: row.room_id,
      seq: Number(row.message_seq),
      text: deletedAt ? '' : (row.text ?? ''),
      html: deletedAt ? '' : (row.html ?? ''),
      mentions: deletedAt ? [] : (row.mentions ?? []),
      replyTo: row.reply_to,
      replyCount: 0,
      clientId: row.client_id,
      createdAt: row.created_at!.toISOString(),
      editedAt: row.edited_at?.toISOString() ?? null,
      deletedAt,
    };
    return { message: toMessage(message, profileOf(row.sender_id!)) };
  }
  if (row.type === 'member.joined' || row.type === 'member.updated') {
    const { userId, ...rest } = row.data as { userId: string };
    return { user: profileOf(userId), ...rest };
  }
  return row.data ?? {};
}

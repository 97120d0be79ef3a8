/**
 * Reads the room log and makes each event the JSON that every reader gets: live from another instance, by resume, and
 * over REST. Reads of one tick share a query, however many rooms and readers there are.
 */

import { coalesce } from '../../concurrency/coalesce.ts';
import { plainArray } from '../../database/array-literal.ts';
import type { Sql } from '../../database/connect.ts';
import type { FreshnessBatch } from '../../database/freshness-batch.ts';
import type { FeedEvent } from '../../realtime/feed/feed.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import type { MessageExtras } from '../state/message-extras.ts';
import { hasMark, messageMarks } from '../state/message-marks.ts';
import { eventJson, toMessage, unknownProfile } from '../state/message-shape.ts';
import { messageColumns, type StoredMessage, toMessageFields } from './message-columns.ts';
import type { InThread } from './thread-summary-repository.ts';

/** The message that a created or updated event shows; all null for other events. */
type ShownMessage = Omit<StoredMessage, 'seq' | 'actor_id' | 'at' | 'message_id' | 'marks'> & {
  marks: number | null;
  message_seq: string | null;
  sender_id: string | null;
  created_at: Date | null;
};

interface EventRow extends ShownMessage {
  /** Of the earlier message that the event is about, in a room whose history begins with joining. */
  about_seq: string | null;
  request: number;
  room_id: string;
  seq: string;
  type: string;
  at: Date;
  message_id: string | null;
  data: Record<string, unknown> | null;
}

/** A message that is written word by word begins without a text, however much it has by now. */
const startsStream = `(e.type = 'message.created' and m.marks & ${messageMarks.stream} <> 0)`;

/** The message `m` as of the event `e`: earlier versions come from `v`. */
const shownColumns = messageColumns('m', {
  message_id: 'e.message_id',
  seq: 'm.seq as message_seq',
  actor_id: 'm.actor_id as sender_id',
  text: `case when ${startsStream} then '' else coalesce(v.text, m.text) end as text`,
  html: `case when ${startsStream} then '' else coalesce(v.html, m.html) end as html`,
  mentions: `case when ${startsStream} then null when v.message_id is null then m.mentions else v.mentions end as mentions`,
  mentions_all: `case when ${startsStream} then null when v.message_id is null then m.mentions_all else v.mentions_all end as mentions_all`,
  marks: 'm.marks',
  at: 'm.at as created_at',
  // An event that names a version brings no new one: it shows the version that it names, and when that was written.
  edited_at: `case when e.type = 'message.updated' then (case when e.data ? 'versionSeq' then (e.data ->> 'editedAt')::timestamptz else e.at end) end
    as edited_at`,
});

/** Only some readers of such a room may know of the event: see hidden-events.ts. */
const aboutSeq = `case when e.message_id is not null and e.type <> 'message.created'
    and (select r.history from rooms r where r.id = e.room_id) = 'joined'
  then (select a.seq from events a where a.message_id = e.message_id and a.type = 'message.created') end as about_seq`;

/** By the message's id. */
type FoundExtras = ReadonlyMap<string, Partial<MessageExtras>>;

/** `ExtrasLoader` of chat/messages/, as far as events need it. */
export interface FindAtCreation {
  readonly findAtCreation: (
    messages: readonly { readonly id: string; readonly marks: number }[],
  ) => FoundExtras | Promise<FoundExtras>;
  readonly fromLog: (shown: Partial<MessageExtras>) => Partial<MessageExtras>;
}

export interface LogReader {
  /** Events after `after`, at most `limit`, in seq order. */
  readonly read: (roomId: string, after: number, limit: number) => Promise<FeedEvent[]>;
  /** The newest seq of each room; rooms without a log are absent. */
  readonly heads: (roomIds: readonly string[]) => Promise<Map<string, number>>;
  /** The newest seq of one room as of now; requests share a freshness batch. */
  readonly head: (roomId: string) => Promise<number>;
  /** Reads that wait for their query. */
  readonly waiting: () => number;
}

interface ReadRequest {
  readonly roomId: string;
  readonly after: number;
  readonly limit: number;
}

/** Rooms of one query: few queries when many clients reconnect at once, each well under the statement timeout. */
const roomsPerQuery = 64;

export function createLogReader({
  sql,
  freshness,
  profiles,
  extras,
  settings,
}: {
  sql: Sql;
  freshness: FreshnessBatch;
  profiles: Profiles;
  /** What events show of a message beyond its row. */
  extras: FindAtCreation;
  /** Queries at once. */
  settings: { readonly concurrency: number };
}): LogReader {
  async function readMany(requests: readonly ReadRequest[]): Promise<FeedEvent[][]> {
    const rows = await sql<EventRow[]>`
      select r.request, e.room_id, e.seq, e.type, e.at, e.data, ${sql.unsafe(aboutSeq)}, ${sql.unsafe(shownColumns)}
      from unnest(${requests.map((_, index) => index)}::int[], ${requests.map((each) => each.roomId)}::uuid[],
        ${requests.map((each) => String(each.after))}::bigint[], ${requests.map((each) => each.limit)}::int[]
      ) as r(request, room_id, after, max)
      cross join lateral (
        select * from events e where e.room_id = r.room_id and e.seq > r.after order by e.seq limit r.max
      ) e
      left join events m on e.type in ('message.created', 'message.updated', 'poll.updated') and m.message_id = e.message_id and m.type = 'message.created'
      left join message_edits v on e.type in ('message.created', 'message.updated') and v.message_id = e.message_id and v.seq = coalesce((e.data ->> 'versionSeq')::bigint, e.seq)
        and m.deleted_at is null
      order by r.request, e.seq`;
    const people = await profiles.byIds(peopleIn(rows));
    const found = await extras.findAtCreation(rows.flatMap(shownMessage));
    const answers: FeedEvent[][] = requests.map(() => []);
    for (const row of rows)
      answers[row.request]!.push({
        seq: Number(row.seq),
        json: toJson(row, people, { found, fromLog: extras.fromLog }),
      });
    return answers;
  }

  const readOne = coalesce(readMany, { batchMax: roomsPerQuery, atOnceMax: settings.concurrency });

  async function heads(roomIds: readonly string[]): Promise<Map<string, number>> {
    const rows = await sql<{ room_id: string; seq: string }[]>`
      select r.room_id, e.seq from unnest(${roomIds as string[]}::uuid[]) as r(room_id)
      cross join lateral (select seq from events e where e.room_id = r.room_id order by seq desc limit 1) e`;
    return new Map(rows.map((row) => [row.room_id, Number(row.seq)]));
  }

  const head = freshness.add<string, number>({
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

function shownMessage({ message_id: id, marks, type }: EventRow) {
  return id !== null && marks !== null && type !== 'poll.updated' ? [{ id, marks }] : [];
}

/** What the events of one read show beyond their rows. */
interface ReadExtras extends Pick<FindAtCreation, 'fromLog'> {
  readonly found: FoundExtras;
}

function toJson(row: EventRow, people: ReadonlyMap<string, PublicProfile>, extras: ReadExtras): string {
  const about = row.about_seq === null ? undefined : Number(row.about_seq);
  return eventJson(row.type, row.room_id, Number(row.seq), row.at.toISOString(), toData(row, people, extras), about);
}

/** The `data` of an event as clients see it, from what the log stores. */
function toData(row: EventRow, people: ReadonlyMap<string, PublicProfile>, { found, fromLog }: ReadExtras): unknown {
  const profileOf = (id: string) => people.get(id) ?? unknownProfile(id);
  if (row.type === 'message.created' || row.type === 'message.updated') {
    const { message_seq, sender_id, created_at } = row;
    const stored = { ...row, message_id: row.message_id!, seq: message_seq!, at: created_at!, marks: row.marks ?? 0 };
    const logged = row.data?.shown as Partial<MessageExtras> | undefined;
    const shown = logged && fromLog(logged);
    const known = found.get(stored.message_id);
    const isOpening = row.type === 'message.created' && hasMark(stored.marks, 'stream');
    const streaming = isOpening ? { streaming: true as const } : undefined;
    const extras = known || shown || streaming ? { ...known, ...shown, ...streaming } : undefined;
    const message = toMessage(toMessageFields(stored, row.room_id, 0, extras), profileOf(sender_id!));
    // Of the thread that the message is in: a restored message counts there again.
    const thread = row.data?.thread as InThread['thread'] | undefined;
    return thread ? { message, thread } : { message };
  }
  if (row.type === 'member.joined' || row.type === 'member.updated') {
    const { userId, ...rest } = row.data as { userId: string };
    return { user: profileOf(userId), ...rest };
  }
  if (row.type === 'poll.updated' && (row.deleted_at !== null || !row.data?.poll))
    return { messageId: row.message_id, poll: deletedPoll };
  return row.data ?? {};
}

/** What events show of the poll of a deleted message. */
const deletedPoll = {
  ...{ question: '', options: [], multiple: false, anonymous: true },
  ...{ closesAt: null, closedAt: null, results: [] },
};

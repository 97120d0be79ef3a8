/**
 * The newest page of a room that this process does not follow, for one of its members: one statement's answer. Membership
 * and page are of one snapshot, nothing else of the room is read, and what is asked in one turn of the event loop is asked together.
 *
 * A page comes from Postgres as one text with a separator between its values: one value to read in place of hundreds.
 */
import { coalesce, gatherMs } from '../../concurrency/coalesce.ts';
import type { Sql } from '../../database/connect.ts';
import { type MemberRole, may } from '../../permissions.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import { type MessageFields, messageJson, unknownProfile } from '../state/message-shape.ts';
import { countReplies, type JsonPage } from './message-repository.ts';

export interface UncachedPageRequest {
  readonly roomId: string;
  readonly userId: string;
  readonly limit: number;
}

export type ReadUncachedPage = (question: UncachedPageRequest) => Promise<JsonPage | undefined>;

interface Row {
  place: number;
  role: MemberRole;
  count: number;
  values: string | null;
}

/** Pages of one query: more of them save little, and a page may be large. */
const pagesPerQuery = 8;
/** Queries at once: what they hold in memory is bounded. */
const queriesAtOnce = 4;

/** Ends each value. A text that holds it leaves too many values, which is noticed. */
const valueEnd = '\u0001';
const valuesPerMessage = 6;

/** @returns an answer for members; undefined for whoever else asks, of whatever room, and for a page that does not fit its form */
export function createUncachedNewestPages({ sql, profiles }: { sql: Sql; profiles: Profiles }): ReadUncachedPage {
  // Planned once: behind a `select` the planner takes every list for equally long, and `limit 1` has it look up keys whatever it
  // believes of the tables.
  async function readMany(questions: readonly UncachedPageRequest[]): Promise<(JsonPage | undefined)[]> {
    const rows = await sql<Row[]>`
      select asked.place::int, m.role, page.count, page.values
      from unnest((select ${questions.map(({ roomId }) => roomId)}::uuid[]), (select ${questions.map(({ userId }) => userId)}::uuid[]),
        (select ${questions.map(({ limit }) => limit)}::int[])
      ) with ordinality as asked(room_id, user_id, size, place)
      cross join lateral (
        select role, joined_seq from members m where m.room_id = asked.room_id and m.user_id = asked.user_id limit 1
      ) m
      cross join lateral (
        select case when r.history = 'joined' then m.joined_seq else 1 end as first
        from rooms r where r.id = asked.room_id and r.deleted_at is null limit 1
      ) r
      cross join lateral (
        select count(*)::int as count, string_agg(
          e.message_id::text || e.actor_id || e.seq || E'\\x01' || date_part('epoch', e.at) || E'\\x01' || coalesce(e.client_id, '') || E'\\x01'
            || e.text || E'\\x01' || e.html || E'\\x01'
            || case when e.mentions <> '{}' or e.reply_to is not null or e.edited_at is not null or e.deleted_at is not null then
              json_build_array(e.mentions, e.reply_to, date_part('epoch', e.edited_at), date_part('epoch', e.deleted_at))::text else '' end,
          E'\\x01') as values
        from (
          select * from events l where l.room_id = asked.room_id and l.seq >= r.first and l.type = 'message.created'
          order by l.seq desc limit asked.size + 1
        ) e
      ) page`;
    const pages = rows.map(({ place, count, values }) => readMessages(questions[place - 1]!, count, values));
    const people = await profiles.byIds([
      ...new Set(pages.flatMap((messages) => messages?.map(({ senderId }) => senderId) ?? [])),
    ]);
    const answers: (JsonPage | undefined)[] = questions.map(() => undefined);
    for (const [index, { place, role, count }] of rows.entries()) {
      const messages = pages[index];
      if (!messages || !may(role, 'read')) continue;
      answers[place - 1] = { messages: toJson(messages, people), hasMore: count > questions[place - 1]!.limit };
    }
    return answers;
  }

  return coalesce(readMany, { batchMax: pagesPerQuery, atOnceMax: queriesAtOnce, gatherMs });
}

type PlainFields = MessageFields & { readonly senderId: string };

/** What few messages have: mentions, the message replied to, when it was edited and deleted, in seconds since the epoch. */
type Rest = readonly [string[] | null, string | null, number | null, number | null];

const idLength = 36;
const noRest: Rest = [null, null, null, null];

/** @returns the newest first, no more than were asked for; undefined when a text held the separator */
function readMessages(
  { roomId, limit }: UncachedPageRequest,
  count: number,
  joined: string | null,
): PlainFields[] | undefined {
  if (count === 0) return [];
  const values = joined?.split(valueEnd);
  if (values?.length !== count * valuesPerMessage) return undefined;
  const messages: PlainFields[] = [];
  for (let at = 0; messages.length < Math.min(count, limit); at += valuesPerMessage) {
    const ids = values[at]!;
    const rest = values[at + 5]!;
    const [mentions, replyTo, edited, deleted] = rest === '' ? noRest : (JSON.parse(rest) as Rest);
    messages.push({
      id: ids.slice(0, idLength),
      senderId: ids.slice(idLength, 2 * idLength),
      roomId,
      seq: Number(ids.slice(2 * idLength)),
      createdAt: timeOf(Number(values[at + 1])),
      clientId: values[at + 2]! || null,
      text: deleted === null ? values[at + 3]! : '',
      html: deleted === null ? values[at + 4]! : '',
      mentions: deleted === null ? (mentions ?? []) : [],
      replyTo,
      replyCount: 0,
      editedAt: edited === null ? null : timeOf(edited),
      deletedAt: deleted === null ? null : timeOf(deleted),
    });
  }
  return messages;
}

/** @param seconds since the epoch, with three places */
function timeOf(seconds: number): string {
  return new Date(Math.round(seconds * 1000)).toISOString();
}

/** @returns the messages' JSON in seq order */
function toJson(newestFirst: readonly PlainFields[], people: ReadonlyMap<string, PublicProfile>): string[] {
  const replies = countReplies(newestFirst);
  const json = newestFirst.map((message) =>
    messageJson(
      replies.size === 0 ? message : { ...message, replyCount: replies.get(message.id) ?? 0 },
      people.get(message.senderId) ?? unknownProfile(message.senderId),
    ),
  );
  return json.reverse();
}

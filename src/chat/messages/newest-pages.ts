/**
 * The newest page of a room that this process does not follow, for one of its members: one statement's answer. Membership, head
 * and page are of one snapshot, nothing else of the room is read, and what is asked in one turn of the event loop is asked together.
 *
 * A message comes from Postgres as the JSON that is sent, in pieces: what others may change (its sender's name, the number of its
 * replies) is put between them here.
 */
import { coalesce, gatherMs } from '../../database/coalesce.ts';
import type { Sql } from '../../database/connect.ts';
import { type MemberRole, may } from '../../permissions.ts';
import type { Profiles, PublicProfile } from '../../user/profiles.ts';
import { profileJson, unknownProfile } from '../events/message-shape.ts';
import type { JsonPage } from './message-repository.ts';

export interface NewestQuestion {
  readonly roomId: string;
  readonly userId: string;
  readonly limit: number;
}

export interface NewestAnswer {
  /** The newest seq of the room. */
  readonly head: number;
  /** The first seq that the member may read. */
  readonly from: number;
  readonly page: JsonPage;
}

export type ReadNewest = (question: NewestQuestion) => Promise<NewestAnswer | undefined>;

interface Row {
  place: number;
  role: MemberRole;
  first: string;
  head: string;
  count: number;
  messages: string | null;
}

/** Pages of one query: more of them save little, and a page may be large. */
const pagesPerQuery = 8;
/** Queries at once: what they hold in memory is bounded. */
const queriesAtOnce = 4;

/** Between messages, and between the pieces of one; JSON escapes both. */
const messageEnd = '\u0002';
const pieceEnd = '\u0001';

/** @returns an answer for members; undefined for whoever else asks, of whatever room */
export function createNewestPages({ sql, profiles }: { sql: Sql; profiles: Profiles }): ReadNewest {
  async function readMany(questions: readonly NewestQuestion[]): Promise<(NewestAnswer | undefined)[]> {
    const rows = await sql<Row[]>`
      select asked.place::int, m.role, reach.first, head.seq as head, page.count, page.messages
      from unnest(${questions.map(({ roomId }) => roomId)}::uuid[], ${questions.map(({ userId }) => userId)}::uuid[],
        ${questions.map(({ limit }) => limit)}::int[]
      ) with ordinality as asked(room_id, user_id, size, place)
      join members m on m.room_id = asked.room_id and m.user_id = asked.user_id
      join rooms r on r.id = asked.room_id and r.deleted_at is null
      cross join lateral (select case when r.history = 'joined' then m.joined_seq else 1 end as first) reach
      cross join lateral (select seq from events e where e.room_id = asked.room_id order by seq desc limit 1) head
      cross join lateral (
        select count(*)::int as count, string_agg(concat(
          '{"id":"', e.message_id, '","roomId":"', asked.room_id, '","seq":', e.seq, ',"sender":', E'\\x01', e.actor_id,
          ',"text":', case when e.deleted_at is null then to_json(e.text) else '""' end,
          ',"html":', case when e.deleted_at is null then to_json(e.html) else '""' end,
          ',"mentions":', case when e.deleted_at is null and e.mentions <> '{}' then to_json(e.mentions) else '[]' end,
          ',"replyTo":', coalesce(to_json(e.reply_to), 'null'), ',"replyCount":', E'\\x01',
          ',"attachments":[],"reactions":[],"pinned":false,"clientId":', coalesce(to_json(e.client_id), 'null'),
          ',"createdAt":"', to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
          '","editedAt":', coalesce(to_json(to_char(e.edited_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')), 'null'),
          ',"deletedAt":', coalesce(to_json(to_char(e.deleted_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')), 'null'), '}',
          case when e.reply_to is not null and e.deleted_at is null then E'\\x01' || e.reply_to end
        ), E'\\x02') as messages
        from (
          select * from events l
          where l.room_id = asked.room_id and l.seq >= reach.first and l.type = 'message.created'
          order by l.seq desc limit asked.size + 1
        ) e
      ) page`;
    const answers: (NewestAnswer | undefined)[] = questions.map(() => undefined);
    const pages = rows.map(({ place, messages }) => toPieces(messages, questions[place - 1]!.limit));
    const people = await profiles.byIds([...new Set(pages.flat().map(senderOf))]);
    for (const [index, { place, role, first, head, count }] of rows.entries()) {
      if (!may(role, 'read')) continue;
      const page = { messages: toMessages(pages[index]!, people), hasMore: count > questions[place - 1]!.limit };
      answers[place - 1] = { head: Number(head), from: Number(first), page };
    }
    return answers;
  }

  return coalesce(readMany, { batchMax: pagesPerQuery, atOnceMax: queriesAtOnce, gatherMs });
}

/** A message's JSON up to its sender; the sender's id, and on up to the number of replies; the rest; whom it replies to. */
type Pieces = readonly [start: string, middle: string, end: string, replyTo?: string];

const idLength = 36;
const idAt = '{"id":"'.length;

function toPieces(joined: string | null, limit: number): Pieces[] {
  if (joined === null) return [];
  return joined.split(messageEnd, limit).map((message) => message.split(pieceEnd) as unknown as Pieces);
}

function senderOf([, middle]: Pieces): string {
  return middle.slice(0, idLength);
}

/** @returns the messages' JSON in seq order */
function toMessages(newestFirst: readonly Pieces[], people: ReadonlyMap<string, PublicProfile>): string[] {
  // What answers a message comes after it: of the newest messages all answers are among them.
  const replies = new Map<string, number>();
  for (const [, , , target] of newestFirst)
    if (target !== undefined) replies.set(target, (replies.get(target) ?? 0) + 1);
  const messages = newestFirst.map((pieces) => {
    const [start, middle, end] = pieces;
    const senderId = senderOf(pieces);
    const sender = profileJson(people.get(senderId) ?? unknownProfile(senderId));
    const replyCount = replies.get(start.slice(idAt, idAt + idLength)) ?? 0;
    return `${start}${sender}${middle.slice(idLength)}${replyCount}${end}`;
  });
  return messages.reverse();
}

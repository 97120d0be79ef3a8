/**
 * The newest page of a room that this process does not follow, for one of its members, in one statement. Membership and
 * page come from one snapshot, nothing else of the room is read, and requests of one tick share a query.
 */
import { coalesce, gatherMs } from '../../concurrency/coalesce.ts';
import type { Sql } from '../../database/connect.ts';
import { type MemberRole, may } from '../../permissions.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import {
  isInRoom,
  packedMessages,
  type UnpackedMessage,
  unpackMessages,
  withFound,
} from '../events/message-columns.ts';
import { messageMarks } from '../state/message-marks.ts';
import { messageJson, unknownProfile } from '../state/message-shape.ts';
import type { ExtrasLoader, FoundExtras } from './extras-loader.ts';
import { countReplies, type PositionedPage } from './message-repository.ts';

export interface UncachedPageRequest {
  readonly roomId: string;
  readonly userId: string;
  readonly limit: number;
}

export type ReadUncachedPage = (question: UncachedPageRequest) => Promise<PositionedPage | undefined>;

interface Row {
  place: number;
  role: MemberRole;
  count: number;
  packed: string | null;
  /** Of the room's newest event; bigint: arrives as a string. */
  head: string;
}

/** Pages of one query: more save little, and a page may be large. */
const pagesPerQuery = 8;
/** Queries at once: bounds the memory that they hold. */
const queriesAtOnce = 4;

/** @returns a page for members; undefined for everybody else and for unknown rooms, and for a text that cannot be packed */
export function createUncachedNewestPages({
  sql,
  profiles,
  extras,
}: {
  sql: Sql;
  profiles: Profiles;
  extras: Pick<ExtrasLoader, 'find'>;
}): ReadUncachedPage {
  // Planned once: behind a `select` the planner takes every list for equally long, and `limit 1` has it look up keys whatever it
  // believes of the tables.
  async function readMany(questions: readonly UncachedPageRequest[]): Promise<(PositionedPage | undefined)[]> {
    const rows = await sql<Row[]>`
      select asked.place::int, m.role, page.count, page.packed,
        coalesce((select seq from events h where h.room_id = asked.room_id order by seq desc limit 1), 0) as head
      from unnest((select ${questions.map(({ roomId }) => roomId)}::uuid[]), (select ${questions.map(({ userId }) => userId)}::uuid[]),
        (select ${questions.map(({ limit }) => limit)}::int[])
      ) with ordinality as asked(room_id, user_id, size, place)
      cross join lateral (
        select role, joined_seq from members m where m.room_id = asked.room_id and m.user_id = asked.user_id limit 1
      ) m
      cross join lateral (
        select case when r.history = 'joined' then m.joined_seq else 1 end as first,
          exists (select from threads t where t.room_id = r.id) as has_threads
        from rooms r where r.id = asked.room_id and r.deleted_at is null limit 1
      ) r
      cross join lateral (
        select count(*)::int as count, ${sql.unsafe(packedMessages)} as packed
        from (
          select *, l.marks | case when r.has_threads then coalesce((select ${messageMarks.thread}::int from threads t
            where t.thread_id = l.message_id), 0) else 0 end as all_marks
          from events l where l.room_id = asked.room_id and l.seq >= r.first and l.type = 'message.created' and ${sql.unsafe(isInRoom('l'))}
          order by l.seq desc limit asked.size + 1
        ) e
      ) page`;
    const pages = rows.map(({ place, count, packed }) => unpackMessages(packed, { ...questions[place - 1]!, count }));
    const people = await profiles.byIds([
      ...new Set(pages.flatMap((messages) => messages?.map(({ senderId }) => senderId) ?? [])),
    ]);
    const found = await extras.find(pages.flatMap((messages) => messages?.map(markedOf) ?? []));
    const answers: (PositionedPage | undefined)[] = questions.map(() => undefined);
    for (const [index, { place, role, count, head }] of rows.entries()) {
      const messages = pages[index];
      if (!messages || !may(role, 'read')) continue;
      answers[place - 1] = {
        messages: toJson(messages, people, found),
        hasMore: count > questions[place - 1]!.limit,
        seq: Number(head),
      };
    }
    return answers;
  }

  return coalesce(readMany, { batchMax: pagesPerQuery, atOnceMax: queriesAtOnce, gatherMs });
}

function markedOf({ fields, marks }: UnpackedMessage) {
  return { id: fields.id, marks };
}

/** @returns the messages' JSON in seq order */
function toJson(
  newestFirst: readonly UnpackedMessage[],
  people: ReadonlyMap<string, PublicProfile>,
  found: FoundExtras,
): string[] {
  const replies = countReplies(newestFirst.map(({ fields }) => fields));
  const json = newestFirst.map((message) => {
    const { id } = message.fields;
    const sender = people.get(message.senderId) ?? unknownProfile(message.senderId);
    return messageJson(withFound(message, replies.get(id) ?? 0, found.get(id)), sender);
  });
  return json.reverse();
}

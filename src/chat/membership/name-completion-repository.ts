/**
 * Finds members by the beginning of a name, for the completion of mentions: first the people who wrote last, then others. The cost
 * is bounded in rooms of any size: each statement looks at a fixed number of rows at most.
 */
import { type SQL, sql } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';
import { nameWords } from '../../database/tables/user-tables.ts';
import type { MemberRole } from '../../permissions.ts';
import { nameQuery } from '../../user/account/user-repository.ts';
import type { MemberRow } from './member-repository.ts';

export interface NameSearch {
  readonly roomId: string;
  /** What was typed; empty: everybody. */
  readonly query: string;
  readonly limit: number;
  /** How many members the room has, as far as is known. */
  readonly memberCount: number;
}

/** Events of the room, newest first, among which the people who wrote last are found. */
const recentEventsMax = 500;
/** In rooms of up to this many members the names of all are compared, which takes 65 µs for each. */
const comparedMembersMax = 500;
/** In larger rooms this many people whose name fits are looked up among the members. */
const candidatesMax = 5000;

type Row = {
  readonly user_id: string;
  readonly role: MemberRole;
  readonly joined_ms: number;
  readonly muted_ms: number | null;
};

const columns = sql`m.user_id, m.role, (extract(epoch from m.joined_at) * 1000)::float8 as joined_ms,
  case when m.muted_until > now() then (extract(epoch from m.muted_until) * 1000)::float8 end as muted_ms`;
const nameOf = { displayName: sql`u.display_name`, username: sql`u.username` };

/** @returns at most `limit` members: those who wrote last first, then by username */
export async function completeNames(db: Database, search: NameSearch): Promise<MemberRow[]> {
  const recent = await db.execute<Row>(recentWriters(search));
  const left = search.limit - recent.length;
  if (left <= 0) return recent.map(toMember);
  const known = recent.map(({ user_id }) => user_id);
  const isSmall = search.query === '' || search.memberCount <= comparedMembersMax;
  const others = await db.execute<Row>(
    isSmall ? membersByName(search, known, left) : peopleByName(search, known, left),
  );
  return [...recent, ...others].map(toMember);
}

const fits = (query: string): SQL => (query === '' ? sql`true` : sql`${nameWords(nameOf)} @@ ${nameQuery(query)}`);
const notAmong = (ids: readonly string[]): SQL => sql`m.user_id <> all(${`{${ids.join(',')}}`}::uuid[])`;

function recentWriters({ roomId, query, limit }: NameSearch): SQL {
  // Materialized: otherwise the index of names would be asked for everybody whose name fits, in the whole deployment.
  return sql`
    with w as materialized (
      select e.actor_id, max(e.seq) as seq from (
        select actor_id, seq, type from events where room_id = ${roomId} order by seq desc limit ${recentEventsMax}
      ) e where e.type = 'message.created' group by e.actor_id
    ), u as materialized (
      select u.id, u.display_name, u.username, w.seq from w join users u on u.id = w.actor_id and u.erased_at is null
    )
    select ${columns} from u join members m on m.room_id = ${roomId} and m.user_id = u.id
    where ${fits(query)} order by u.seq desc limit ${limit}`;
}

/** Compares the name of every member. */
function membersByName({ roomId, query }: NameSearch, known: readonly string[], limit: number): SQL {
  // Without a query there is nothing to compare: the first members by id are as good as any.
  const order = query === '' ? sql`m.user_id` : sql`lower(u.username), m.user_id`;
  return sql`
    select ${columns} from members m join users u on u.id = m.user_id and u.erased_at is null
    where m.room_id = ${roomId} and ${notAmong(known)} and ${fits(query)} order by ${order} limit ${limit}`;
}

/**
 * One or two Latin letters begin so many words that the index of words would be read at length: then only usernames are looked up, in the
 * order of their index.
 */
const fewLetters = /^[a-z0-9_.-]{1,2}$/;

function candidates(query: string): SQL {
  const prefix = query.toLowerCase();
  if (!fewLetters.test(prefix)) return sql`${fits(query)} limit ${candidatesMax}`;
  const name = sql`lower(u.username)`;
  return sql`${name} >= ${prefix} and ${name} < ${`${prefix}\x7f`} order by ${name} limit ${candidatesMax}`;
}

/** Finds people by the index of names, then those of them who are members. */
function peopleByName({ roomId, query }: NameSearch, known: readonly string[], limit: number): SQL {
  return sql`
    with u as materialized (
      select u.id, u.username from users u where u.erased_at is null and ${candidates(query)}
    )
    select ${columns} from u join members m on m.room_id = ${roomId} and m.user_id = u.id
    where ${notAmong(known)} order by lower(u.username), m.user_id limit ${limit}`;
}

function toMember({ user_id, role, joined_ms, muted_ms }: Row): MemberRow {
  return {
    userId: user_id,
    role,
    joinedAt: new Date(joined_ms).toISOString(),
    mutedUntil: muted_ms === null ? null : new Date(muted_ms).toISOString(),
  };
}

/**
 * The one statement that makes a batch of messages durable: explicit next seqs under the log's primary key, the
 * senders' keys, and the mail that may become due, all or nothing per room.
 *
 * - A room whose next seq was taken by somebody else stores nothing; the caller reads on and tries again.
 * - A room with a repeated clientId stores nothing; the caller answers the repeat and tries the rest again.
 * - Should a room have been stored in part (its first seq lost, a later one won), the statement fails as a whole.
 * - When a login ended that the caller does not know of yet, nothing at all is stored.
 */
import type { Sql } from '../../database/connect.ts';

export interface AppendRow {
  readonly roomId: string;
  readonly seq: number;
  readonly actorId: string;
  readonly messageId: string;
  readonly clientId: string;
  readonly digest: bigint;
  readonly text: string;
  readonly html: string;
  readonly mentions: readonly string[];
  readonly replyTo: string | null;
}

/** What the caller knows of ended logins; see auth/revocations.ts. */
export interface RevocationHorizon {
  readonly xmin: string;
  readonly knownIds: readonly string[];
}

export interface RepeatedKey {
  readonly triedId: string;
  readonly messageId: string;
  readonly seq: number;
  readonly digest: bigint;
  readonly atMs: number;
}

export interface AppendOutcome {
  /** Postgres' clock, milliseconds: the `createdAt` of everything stored. */
  readonly atMs: number;
  readonly stale: boolean;
  readonly repeated: readonly RepeatedKey[];
  /** Rows stored per room; absent rooms stored nothing. Undefined: everything was stored. */
  readonly stored: ReadonlyMap<string, number> | undefined;
}

interface AppendResult {
  at_ms: string;
  stale: boolean;
  repeated: { tried: string; id: string; seq: number; digest: string; at: number }[] | null;
  stored: Record<string, number> | null;
}

/**
 * @param mailRooms rooms that need a mail job, in ascending order
 * @param mailDelayMs when that job is due from now
 * @throws what Postgres throws; nothing is stored then, unless the connection broke (repeat it to find out)
 */
export async function appendMessages(
  sql: Sql,
  rows: readonly AppendRow[],
  horizon: RevocationHorizon,
  mailRooms: readonly string[],
  mailDelayMs: number,
): Promise<AppendOutcome> {
  const [result] = await sql<AppendResult[]>`
    with input as materialized (
      select * from unnest(
        ${rows.map((row) => row.roomId)}::uuid[], ${rows.map((row) => String(row.seq))}::bigint[],
        ${rows.map((row) => row.actorId)}::uuid[], ${rows.map((row) => row.messageId)}::uuid[],
        ${rows.map((row) => row.clientId)}::text[], ${rows.map((row) => String(row.digest))}::bigint[],
        ${rows.map((row) => row.text)}::text[], ${rows.map((row) => row.html)}::text[],
        ${rows.map((row) => `{${row.mentions.join(',')}}`)}::text[], ${rows.map((row) => row.replyTo)}::uuid[]
      ) as i(room_id, seq, actor_id, message_id, client_id, digest, text, html, mentions, reply_to)
    ), repeated as materialized (
      select i.message_id as tried, i.room_id, e.message_id, e.seq, e.digest, e.at
      from input i join events e on e.room_id = i.room_id and e.actor_id = i.actor_id and e.client_id = i.client_id
    ), stale as materialized (
      select 1 from revocations where xid >= ${horizon.xmin}::xid8 and id <> all(${horizon.knownIds}::bigint[]) limit 1
    ), stored as (
      insert into events (room_id, seq, type, at, actor_id, message_id, client_id, digest, text, html, mentions, reply_to)
      select room_id, seq, 'message.created', date_trunc('milliseconds', now()), actor_id, message_id, client_id, digest,
        text, html, mentions::uuid[], reply_to
      from input i
      where not exists (select 1 from stale) and not exists (select 1 from repeated r where r.room_id = i.room_id)
      order by room_id, seq
      on conflict do nothing
      returning room_id
    ), counts as materialized (
      select room_id, count(*)::int as stored from stored group by room_id
    ), torn as materialized (
      select 1 from counts join (select room_id, count(*) as wanted from input group by room_id) w using (room_id)
      where counts.stored <> w.wanted limit 1
    ), owed as materialized (
      select count(*) from graphile_worker.add_jobs(
        (select array_agg(row('room_unread', json_build_object('roomId', r), null,
            now() + ${mailDelayMs} * interval '1 millisecond', null, 'room-unread:' || r, null, null)::graphile_worker.job_spec
            order by r)
          from unnest(${mailRooms}::uuid[]) r where r in (select room_id from counts)),
        job_key_preserve_run_at => true)
      where ${mailRooms.length > 0}
    )
    select (extract(epoch from date_trunc('milliseconds', now())) * 1000)::bigint::text as at_ms,
      exists (select 1 from stale) as stale,
      (select json_agg(json_build_object('tried', tried, 'id', message_id, 'seq', seq, 'digest', digest::text,
          'at', (extract(epoch from at) * 1000)::bigint)) from repeated) as repeated,
      case when (select coalesce(sum(stored), 0) from counts) <> ${rows.length}
        then coalesce((select json_object_agg(room_id, stored) from counts), '{}') end as stored,
      1 / (1 - (select count(*) from torn))::int as whole,
      (select count(*) from owed) as owed`;
  const { at_ms, stale, repeated, stored } = result!;
  return {
    atMs: Number(at_ms),
    stale,
    repeated: (repeated ?? []).map(({ tried, id, seq, digest, at }) => ({
      triedId: tried,
      messageId: id,
      seq: Number(seq),
      digest: BigInt(digest),
      atMs: Number(at),
    })),
    stored: stored === null ? undefined : new Map(Object.entries(stored)),
  };
}

/**
 * The one statement that makes a batch of messages durable: explicit next seqs under the log's primary key, the
 * senders' keys, the moderators' entries of flagged messages, and the mail that may become due. When a login ended that the caller
 * does not know of yet, or the log is not the one any more that the caller's positions are of, or an event is missing that the
 * caller's positions rest on, nothing at all is stored.
 *
 * There are two of it. `appendFresh` expects what is nearly always so: nobody took the seqs, no key is a repeat. A
 * unique violation proves it wrong and stores nothing; then `appendCarefully` finds out what is what, room by room:
 *
 * - A room whose next seq was taken by somebody else stores nothing; the caller reads on and tries again.
 * - A room with a repeated clientId stores nothing; the caller answers the repeat and tries the rest again.
 * - Should a room have been stored in part (its first seq lost, a later one won), the statement fails as a whole.
 *
 * Asking first costs Postgres several times what storing does (bench/store.ts), hence the two. `appendFresh` says it shorter where a
 * message comes alone and owes no mail job.
 */
import { plainArray, textArray } from '../../database/array-literal.ts';
import type { Sql } from '../../database/connect.ts';
import { newId } from '../../database/new-id.ts';
import { epochOfLog } from '../../realtime/cluster/log-witnesses.ts';
import type { Flag } from '../state/verdict-records.ts';

export interface AppendRow {
  readonly roomId: string;
  readonly seq: number;
  readonly authorId: string;
  readonly messageId: string;
  readonly clientId: string;
  readonly digest: bigint;
  readonly text: string;
  readonly html: string;
  readonly mentions: readonly string[];
  readonly replyTo: string | null;
  /** Puts the message before the moderators. */
  readonly flag?: Flag | undefined;
}

/** What the caller knows of ended logins; see auth/sessions/revocations.ts. */
export interface RevocationHorizon {
  readonly xmin: string;
  readonly knownIds: readonly string[];
}

/** What the caller's view of the rooms rests on. */
export interface LogView {
  readonly horizon: RevocationHorizon;
  /** Of the log: see realtime/cluster/log-epoch.ts. */
  readonly epoch: string;
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
  /** The log was replaced: the positions mean nothing in it. */
  readonly replaced: boolean;
  /** A room whose event before the first of these is missing: the database lost what was committed. */
  readonly orphaned: string | undefined;
  readonly repeated: readonly RepeatedKey[];
  /** Rows stored per room; absent rooms stored nothing. Undefined: everything was stored. */
  readonly stored: ReadonlyMap<string, number> | undefined;
}

interface AppendResult {
  at_ms: string;
  stale: boolean;
  replaced: boolean;
  orphaned: string | null;
  repeated: { tried: string; id: string; seq: number; digest: string; at: number }[] | null;
  stored: Record<string, number> | null;
}

export interface AppendBatch {
  /** In ascending order of rooms, then seqs: two batches of several instances wait for each other, never in a ring. */
  readonly rows: readonly AppendRow[];
  readonly view: LogView;
  /** Rooms that need a mail job, in ascending order. */
  readonly mailRooms: readonly string[];
  /** When that job is due from now. */
  readonly mailDelayMs: number;
  /** The longest wait for a lock, where the session does not say it: behind a pooler. */
  readonly lockTimeoutMs?: number | undefined;
}

function inputRows(sql: Sql, rows: readonly AppendRow[]) {
  return sql`unnest(
        ${plainArray(rows.map((row) => row.roomId))}::uuid[], ${plainArray(rows.map((row) => row.seq))}::bigint[],
        ${plainArray(rows.map((row) => row.authorId))}::uuid[], ${plainArray(rows.map((row) => row.messageId))}::uuid[],
        ${textArray(rows.map((row) => row.clientId))}::text[], ${plainArray(rows.map((row) => row.digest))}::bigint[],
        ${textArray(rows.map((row) => row.text))}::text[], ${textArray(rows.map((row) => row.html))}::text[],
        ${textArray(rows.map((row) => plainArray(row.mentions)))}::text[], ${plainArray(rows.map((row) => row.replyTo))}::uuid[]
      ) as i(room_id, seq, actor_id, message_id, client_id, digest, text, html, mentions, reply_to)`;
}

type FlaggedRow = AppendRow & { readonly flag: Flag };

function flaggedAmong(rows: readonly AppendRow[]): FlaggedRow[] {
  return rows.filter((row): row is FlaggedRow => row.flag !== undefined);
}

/** Entries of the messages that `stored` holds: what is not stored is not put before anybody. */
function addQueueEntries(sql: Sql, rows: readonly FlaggedRow[]) {
  return sql`insert into moderation_queue (id, room_id, message_id, author_id, source, labels, spam_score, engine_version)
      select id, room_id, message_id, author_id, 'engine', labels::jsonb, spam_score, engine_version from unnest(
        ${plainArray(rows.map(() => newId()))}::uuid[], ${plainArray(rows.map((row) => row.roomId))}::uuid[],
        ${plainArray(rows.map((row) => row.messageId))}::uuid[], ${plainArray(rows.map((row) => row.authorId))}::uuid[],
        ${textArray(rows.map(({ flag }) => JSON.stringify(flag.labels)))}::text[],
        ${plainArray(rows.map(({ flag }) => flag.spamScore))}::real[],
        ${textArray(rows.map(({ flag }) => flag.engineVersion))}::text[]
      ) as f(id, room_id, message_id, author_id, labels, spam_score, engine_version)
      where message_id in (select message_id from stored)
      on conflict do nothing`;
}

function replacedLog(sql: Sql, { epoch }: LogView) {
  return sql`select 1 from log_identity where ${epochOfLog(sql)} <> ${epoch}`;
}

/** Rooms whose first seq here has no predecessor; the key's index answers. */
function orphanedRooms(sql: Sql, rows: readonly AppendRow[]) {
  const firsts = rows.filter(({ roomId, seq }, at) => seq > 1 && rows[at - 1]?.roomId !== roomId);
  return sql`select room_id from unnest(${plainArray(firsts.map(({ roomId }) => roomId))}::uuid[],
        ${plainArray(firsts.map(({ seq }) => seq))}::bigint[]) as first(room_id, seq)
      where not exists (select 1 from events p where p.room_id = first.room_id and p.seq = first.seq - 1) limit 1`;
}

/** What every statement asks of the log before it stores anything. */
function conditions(sql: Sql, { rows, view, lockTimeoutMs }: AppendBatch) {
  return sql`bound as materialized (select ${lockBound(sql, lockTimeoutMs)} as is_set), stale as materialized (${staleLogin(sql, view)}), replaced as materialized (${replacedLog(sql, view)}),
    orphaned as materialized (${orphanedRooms(sql, rows)})`;
}

function conditionsHold(sql: Sql) {
  return sql`(select is_set from bound) and not exists (select 1 from stale) and not exists (select 1 from replaced) and not exists (select 1 from orphaned)`;
}

/** Bounds the statement's own waits for locks. It is asked for before anything is written. */
function lockBound(sql: Sql, lockTimeoutMs: number | undefined) {
  return lockTimeoutMs === undefined
    ? sql`true`
    : sql`set_config('lock_timeout', ${String(lockTimeoutMs)}, true) is not null`;
}

function conditionColumns(sql: Sql) {
  return sql`exists (select 1 from stale) as stale, exists (select 1 from replaced) as replaced, (select room_id from orphaned) as orphaned`;
}

function staleLogin(sql: Sql, { horizon: { xmin, knownIds } }: LogView) {
  return sql`select 1 from revocations where xid >= ${xmin}::xid8 and id <> all(${knownIds as string[]}::bigint[]) limit 1`;
}

function addMailJobs(sql: Sql, mailDelayMs: number) {
  return sql`graphile_worker.add_jobs(
        (select array_agg(row('room_unread', json_build_object('roomId', r), null,
            now() + ${mailDelayMs} * interval '1 millisecond', null, 'room-unread:' || r, null, null)::graphile_worker.job_spec
            order by r)
          from owing),
        job_key_preserve_run_at => true)`;
}

/**
 * A message with no others beside it, in a room whose mail job is there already: Postgres has less to begin than for a batch's arrays,
 * and its sender waits for nothing else (bench/store.ts, 1 in flight).
 *
 * @returns Postgres' clock; undefined when nothing was stored, for the view is not that of the log
 * @throws what Postgres throws
 */
async function appendAlone(
  sql: Sql,
  row: AppendRow,
  { view, lockTimeoutMs }: AppendBatch,
): Promise<number | undefined> {
  const { roomId, seq, authorId, messageId, clientId, digest, text, html, mentions, replyTo } = row;
  const [stored] = await sql<{ at_ms: string }[]>`
    insert into events (room_id, seq, type, at, actor_id, message_id, client_id, digest, text, html, mentions, reply_to)
    select ${roomId}::uuid, ${seq}::bigint, 'message.created', date_trunc('milliseconds', now()), ${authorId}::uuid, ${messageId}::uuid,
      ${clientId}::text, ${digest}::bigint, ${text}::text, ${html}::text, ${plainArray(mentions)}::uuid[], ${replyTo}::uuid
    where ${lockBound(sql, lockTimeoutMs)} and not exists (${staleLogin(sql, view)}) and not exists (${replacedLog(sql, view)})
      and (${seq}::bigint = 1 or exists (select 1 from events p where p.room_id = ${roomId}::uuid and p.seq = ${seq}::bigint - 1))
    returning (extract(epoch from at) * 1000)::bigint::text as at_ms`;
  return stored && Number(stored.at_ms);
}

/**
 * @returns `stored` undefined and nothing repeated, or `stale`, `replaced` or `orphaned` and nothing stored
 * @throws a unique violation when a seq or a key was used already; what else Postgres throws. Nothing is stored then,
 *   unless the connection broke (repeat it to find out)
 */
export async function appendFresh(sql: Sql, batch: AppendBatch): Promise<AppendOutcome> {
  const { rows, mailRooms, mailDelayMs } = batch;
  const flagged = flaggedAmong(rows);
  if (rows.length === 1 && mailRooms.length === 0 && flagged.length === 0) {
    const atMs = await appendAlone(sql, rows[0]!, batch);
    if (atMs !== undefined)
      return { atMs, stale: false, replaced: false, orphaned: undefined, repeated: [], stored: undefined };
    // Something is not as the caller believes: the statement below tells what.
  }
  // Jobs after events, as below: two instances of which each holds the one and wants the other would lock each other out.
  const owed =
    mailRooms.length === 0
      ? sql``
      : sql`, owing as materialized (
      select r from unnest(${mailRooms as string[]}::uuid[]) r where (select count(*) from stored) > 0
    ), owed as materialized (select count(*) from ${addMailJobs(sql, mailDelayMs)})`;
  const entered = flagged.length === 0 ? sql`` : sql`, entered as (${addQueueEntries(sql, flagged)})`;
  const isPlain = mailRooms.length === 0 && flagged.length === 0;
  const [result] = await sql<Pick<AppendResult, 'at_ms' | 'stale' | 'replaced' | 'orphaned'>[]>`
    with ${conditions(sql, batch)}, stored as (
      insert into events (room_id, seq, type, at, actor_id, message_id, client_id, digest, text, html, mentions, reply_to)
      select room_id, seq, 'message.created', date_trunc('milliseconds', now()), actor_id, message_id, client_id, digest,
        text, html, mentions::uuid[], reply_to
      from ${inputRows(sql, rows)} where ${conditionsHold(sql)}
      ${isPlain ? sql`` : sql`returning message_id`}
    )${entered}${owed}
    select (extract(epoch from date_trunc('milliseconds', now())) * 1000)::bigint::text as at_ms, ${conditionColumns(sql)}
      ${mailRooms.length === 0 ? sql`` : sql`, (select count(*) from owed) as owed`}`;
  const { at_ms, stale, replaced, orphaned } = result!;
  return { atMs: Number(at_ms), stale, replaced, orphaned: orphaned ?? undefined, repeated: [], stored: undefined };
}

/** @throws what Postgres throws; nothing is stored then, unless the connection broke (repeat it to find out) */
export async function appendCarefully(sql: Sql, batch: AppendBatch): Promise<AppendOutcome> {
  const { rows, mailRooms, mailDelayMs } = batch;
  const flagged = flaggedAmong(rows);
  const [result] = await sql<AppendResult[]>`
    with input as materialized (
      select * from ${inputRows(sql, rows)}
    ), repeated as materialized (
      select i.message_id as tried, i.room_id, e.message_id, e.seq, e.digest, e.at
      from input i cross join lateral (
        select * from events e where e.room_id = i.room_id and e.actor_id = i.actor_id and e.client_id = i.client_id limit 1
      ) e
    ), ${conditions(sql, batch)}, stored as (
      insert into events (room_id, seq, type, at, actor_id, message_id, client_id, digest, text, html, mentions, reply_to)
      select room_id, seq, 'message.created', date_trunc('milliseconds', now()), actor_id, message_id, client_id, digest,
        text, html, mentions::uuid[], reply_to
      from input i
      where ${conditionsHold(sql)} and not exists (select 1 from repeated r where r.room_id = i.room_id)
      order by room_id, seq
      on conflict do nothing
      returning room_id, message_id
    )${flagged.length === 0 ? sql`` : sql`, entered as (${addQueueEntries(sql, flagged)})`}, counts as materialized (
      select room_id, count(*)::int as stored from stored group by room_id
    ), torn as materialized (
      select 1 from counts join (select room_id, count(*) as wanted from input group by room_id) w using (room_id)
      where counts.stored <> w.wanted limit 1
    ), owing as materialized (
      select r from unnest(${mailRooms as string[]}::uuid[]) r where r in (select room_id from counts)
    ), owed as materialized (select count(*) from ${addMailJobs(sql, mailDelayMs)} where ${mailRooms.length > 0})
    select (extract(epoch from date_trunc('milliseconds', now())) * 1000)::bigint::text as at_ms,
      ${conditionColumns(sql)},
      (select json_agg(json_build_object('tried', tried, 'id', message_id, 'seq', seq, 'digest', digest::text,
          'at', (extract(epoch from at) * 1000)::bigint)) from repeated) as repeated,
      case when (select coalesce(sum(stored), 0) from counts) <> ${rows.length}
        then coalesce((select json_object_agg(room_id, stored) from counts), '{}') end as stored,
      1 / (1 - (select count(*) from torn))::int as whole,
      (select count(*) from owed) as owed`;
  const { at_ms, stale, replaced, orphaned, repeated, stored } = result!;
  return {
    atMs: Number(at_ms),
    stale,
    replaced,
    orphaned: orphaned ?? undefined,
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

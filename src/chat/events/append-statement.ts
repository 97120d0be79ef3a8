/**
 * The statement that makes a batch of messages durable: the messages at their seqs, under the primary key of the log, the
 * moderators' entries of flagged messages, and the mail jobs that may become due.
 *
 * Nothing at all is stored if the caller's view is outdated: a login has ended that it does not know of, the log was
 * replaced by another one, or an event is missing before one of the messages.
 *
 * There are two versions. `appendFresh` assumes the common case: nobody took the seqs, and no key is a repeat. Otherwise
 * it fails with a unique violation and stores nothing. `appendCarefully` then handles the same batch room by room:
 *
 * - A room whose next seq is taken stores nothing; the caller catches up and tries again.
 * - A room with a repeated clientId stores nothing; the caller answers the repeat and tries the rest again.
 * - If a room would be stored in part (its first seq taken, a later one free), the whole statement fails.
 *
 * Looking first costs Postgres several times as much as storing (bench/store.ts), hence the two. `appendFresh` uses a
 * shorter statement for a single message without a mail job.
 */
import { plainArray, textArray } from '../../database/array-literal.ts';
import type { Sql } from '../../database/connect.ts';
import { newId } from '../../database/new-id.ts';
import { epochOfLog } from '../../realtime/cluster/log-row.ts';
import { hasWebLinks } from '../state/message-links.ts';
import type { Flag } from '../state/verdict-records.ts';
import { inputRows, insertedFromInput, insertedValues, insertMessages, type MessageRow } from './message-columns.ts';

export interface AppendRow extends MessageRow {
  /** Puts the message into the moderators' queue. */
  readonly flag?: Flag | undefined;
}

/** Which ended logins the caller knows of: see auth/sessions/revocations.ts. */
export interface RevocationHorizon {
  readonly xmin: string;
  readonly knownIds: readonly string[];
}

/** The caller's knowledge, on which its positions are based. */
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
  /** The log was replaced by another one, in which the caller's positions mean nothing. */
  readonly replaced: boolean;
  /** A room in which the event before the first message is missing: the database lost a committed event. */
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
  /** In ascending order of rooms, then seqs. Batches of two instances then wait for each other in one direction only. */
  readonly rows: readonly AppendRow[];
  readonly view: LogView;
  /** Rooms that need a mail job, in ascending order. */
  readonly mailRooms: readonly string[];
  /** The jobs are due this long from now. */
  readonly mailDelayMs: number;
  /** Messages with links get a job that fetches their previews. */
  readonly previews?: boolean;
  /** The longest wait for a lock. Undefined where the session has it, which it cannot behind a pooler. */
  readonly lockTimeoutMs?: number | undefined;
}

type FlaggedRow = AppendRow & { readonly flag: Flag };

function flaggedAmong(rows: readonly AppendRow[]): FlaggedRow[] {
  return rows.filter((row): row is FlaggedRow => row.flag !== undefined);
}

/** Queue entries for the messages among `stored`; messages that are not stored get none. */
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

/** Stored messages of threads: who follows them from here on. The final select must read it, or Postgres skips it. */
function followThreads(sql: Sql) {
  return sql`select count(parley_follow_thread(thread_id, room_id, seq, actor_id, mentions)) from stored where thread_id is not null`;
}

/** Jobs for the previews of messages with links. The final select must read the count, or Postgres skips it. */
function addPreviewJobs(sql: Sql, rows: readonly AppendRow[]) {
  return sql`select count(*) from graphile_worker.add_jobs(
        (select array_agg(row('link_previews', json_build_object('roomId', room_id, 'messageId', message_id), null, now(), null,
            'link-previews:' || message_id, null, null)::graphile_worker.job_spec order by message_id)
          from stored where message_id = any(${plainArray(rows.map((row) => row.messageId))}::uuid[])),
        job_key_preserve_run_at => true)`;
}

function linkedAmong({ rows, previews = false }: AppendBatch): readonly AppendRow[] {
  return previews ? rows.filter(({ html }) => hasWebLinks(html)) : [];
}

function hasThread({ threadId }: AppendRow): boolean {
  return threadId !== null;
}

function replacedLog(sql: Sql, { epoch }: LogView) {
  return sql`select 1 from log_identity where ${epochOfLog(sql)} <> ${epoch}`;
}

/**
 * Rooms in which the event before the first message is missing. Reads the primary key's index once per room: `not exists` would
 * become a join, for which Postgres reads the whole log while it believes that the log is small.
 */
function orphanedRooms(sql: Sql, rows: readonly AppendRow[]) {
  const firsts = rows.filter(({ roomId, seq }, at) => seq > 1 && rows[at - 1]?.roomId !== roomId);
  return sql`select room_id from unnest(${plainArray(firsts.map(({ roomId }) => roomId))}::uuid[],
        ${plainArray(firsts.map(({ seq }) => seq))}::bigint[]) as first(room_id, seq)
      where (select p.seq from events p where p.room_id = first.room_id and p.seq = first.seq - 1) is null limit 1`;
}

/** The checks of every statement, made before it stores anything. */
function conditions(sql: Sql, { rows, view, lockTimeoutMs }: AppendBatch) {
  return sql`bound as materialized (select ${lockBound(sql, lockTimeoutMs)} as is_set), stale as materialized (${staleLogin(sql, view)}), replaced as materialized (${replacedLog(sql, view)}),
    orphaned as materialized (${orphanedRooms(sql, rows)})`;
}

function conditionsHold(sql: Sql) {
  return sql`(select is_set from bound) and not exists (select 1 from stale) and not exists (select 1 from replaced) and not exists (select 1 from orphaned)`;
}

/** Bounds the statement's own waits for locks. It is evaluated before anything is written. */
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
 * Appends a single message in a room that has its mail job. Postgres prepares less than for the arrays of a batch, and
 * nothing else delays the answer (bench/store.ts, 1 in flight).
 *
 * @returns Postgres' clock; undefined when nothing was stored because the view is outdated
 * @throws what Postgres throws
 */
async function appendAlone(
  sql: Sql,
  row: AppendRow,
  { view, lockTimeoutMs }: AppendBatch,
): Promise<number | undefined> {
  const { roomId, seq } = row;
  const [stored] = await sql<{ at_ms: string }[]>`
    ${insertMessages(sql)} select ${insertedValues(sql, row)}
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
  const linked = linkedAmong(batch);
  const isThreaded = rows.some(hasThread);
  const isPlain = mailRooms.length === 0 && flagged.length === 0 && linked.length === 0 && !isThreaded;
  if (rows.length === 1 && isPlain) {
    const atMs = await appendAlone(sql, rows[0]!, batch);
    if (atMs !== undefined)
      return { atMs, stale: false, replaced: false, orphaned: undefined, repeated: [], stored: undefined };
    // The view is outdated: the statement below finds out how.
  }
  // Jobs after events, in both statements: two instances that lock them in different orders would deadlock.
  const owed =
    mailRooms.length === 0
      ? sql``
      : sql`, owing as materialized (
      select r from unnest(${mailRooms as string[]}::uuid[]) r where (select count(*) from stored) > 0
    ), owed as materialized (select count(*) from ${addMailJobs(sql, mailDelayMs)})`;
  const entered = flagged.length === 0 ? sql`` : sql`, entered as (${addQueueEntries(sql, flagged)})`;
  const followed = isThreaded ? sql`, followed as materialized (${followThreads(sql)})` : sql``;
  const previewed = linked.length === 0 ? sql`` : sql`, previewed as materialized (${addPreviewJobs(sql, linked)})`;
  const [result] = await sql<Pick<AppendResult, 'at_ms' | 'stale' | 'replaced' | 'orphaned'>[]>`
    with ${conditions(sql, batch)}, stored as (
      ${insertMessages(sql)} select ${insertedFromInput(sql)}
      from ${inputRows(sql, rows)} where ${conditionsHold(sql)}
      ${isPlain ? sql`` : sql`returning message_id, thread_id, room_id, seq, actor_id, mentions`}
    )${entered}${followed}${owed}${previewed}
    select (extract(epoch from date_trunc('milliseconds', now())) * 1000)::bigint::text as at_ms, ${conditionColumns(sql)}
      ${isThreaded ? sql`, (select count from followed) as followed` : sql``}
      ${linked.length === 0 ? sql`` : sql`, (select count from previewed) as previewed`}
      ${mailRooms.length === 0 ? sql`` : sql`, (select count(*) from owed) as owed`}`;
  const { at_ms, stale, replaced, orphaned } = result!;
  return { atMs: Number(at_ms), stale, replaced, orphaned: orphaned ?? undefined, repeated: [], stored: undefined };
}

/** @throws what Postgres throws; nothing is stored then, unless the connection broke (repeat it to find out) */
export async function appendCarefully(sql: Sql, batch: AppendBatch): Promise<AppendOutcome> {
  const { rows, mailRooms, mailDelayMs } = batch;
  const flagged = flaggedAmong(rows);
  const linked = linkedAmong(batch);
  const isThreaded = rows.some(hasThread);
  const [result] = await sql<AppendResult[]>`
    with input as materialized (
      select * from ${inputRows(sql, rows)}
    ), repeated as materialized (
      select i.message_id as tried, i.room_id, e.message_id, e.seq, e.digest, e.at
      from input i cross join lateral (
        select * from events e where e.room_id = i.room_id and e.actor_id = i.actor_id and e.client_id = i.client_id limit 1
      ) e
    ), ${conditions(sql, batch)}, stored as (
      ${insertMessages(sql)} select ${insertedFromInput(sql)}
      from input i
      where ${conditionsHold(sql)} and not exists (select 1 from repeated r where r.room_id = i.room_id)
      order by room_id, seq
      on conflict do nothing
      returning room_id, message_id, thread_id, seq, actor_id, mentions
    )${isThreaded ? sql`, followed as materialized (${followThreads(sql)})` : sql``}${flagged.length === 0 ? sql`` : sql`, entered as (${addQueueEntries(sql, flagged)})`}, counts as materialized (
      select room_id, count(*)::int as stored from stored group by room_id
    ), torn as materialized (
      select 1 from counts join (select room_id, count(*) as wanted from input group by room_id) w using (room_id)
      where counts.stored <> w.wanted limit 1
    ), owing as materialized (
      select r from unnest(${mailRooms as string[]}::uuid[]) r where r in (select room_id from counts)
    ), owed as materialized (select count(*) from ${addMailJobs(sql, mailDelayMs)} where ${mailRooms.length > 0})${linked.length === 0 ? sql`` : sql`, previewed as materialized (${addPreviewJobs(sql, linked)})`}
    select (extract(epoch from date_trunc('milliseconds', now())) * 1000)::bigint::text as at_ms,
      ${conditionColumns(sql)},
      (select json_agg(json_build_object('tried', tried, 'id', message_id, 'seq', seq, 'digest', digest::text,
          'at', (extract(epoch from at) * 1000)::bigint)) from repeated) as repeated,
      case when (select coalesce(sum(stored), 0) from counts) <> ${rows.length}
        then coalesce((select json_object_agg(room_id, stored) from counts), '{}') end as stored,
      1 / (1 - (select count(*) from torn))::int as whole,
      ${isThreaded ? sql`(select count from followed) as followed,` : sql``}
      ${linked.length === 0 ? sql`` : sql`(select count from previewed) as previewed,`}
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

/** SQL of what a thread looks like from outside: how many messages it has, the newest of them, and who wrote in it last. */
import { sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import type { ThreadSummary } from '../state/message-extras.ts';

/** The people that a summary names. */
const peopleMax = 5;

/** Deleted messages do not count. */
const counts = sql`e.type = 'message.created' and e.deleted_at is null`;

/**
 * Counted whenever it is read. A counter would be a row that every message of the thread updates: a deletion that holds the
 * row while it waits for its seq, and a group commit that has the seq and waits for the row, would block each other.
 *
 * @param threadIds of the messages that start the threads
 * @returns a summary for each of them; one without messages where none is left
 */
export async function readThreadSummaries(
  db: Database | Transaction,
  threadIds: readonly string[],
): Promise<ReadonlyMap<string, ThreadSummary>> {
  if (threadIds.length === 0) return new Map();
  const rows = await db.execute<{
    id: string;
    count: number;
    lastSeq: string;
    lastMs: string | null;
    people: string[] | null;
  }>(sql`
    select t.id, coalesce(sum(w.count), 0)::int as count, (extract(epoch from max(w.at)) * 1000)::bigint::text as "lastMs", coalesce(max(w.seq), 0)::text as "lastSeq",
      to_json((array_agg(w.actor_id order by w.seq desc) filter (where w.actor_id is not null))[1:${sql.raw(String(peopleMax))}]) as people
    from unnest(${`{${threadIds.join(',')}}`}::uuid[]) as t(id)
    left join lateral (
      select e.actor_id, count(*) as count, max(e.seq) as seq, max(e.at) as at
      from events e where e.thread_id = t.id and ${counts} group by e.actor_id
    ) w on true
    group by t.id`);
  return new Map(
    rows.map(({ id, count, lastMs, lastSeq, people }) => [
      id,
      {
        replyCount: count,
        lastReplyAt: lastMs === null ? null : new Date(Number(lastMs)).toISOString(),
        userIds: people ?? [],
        lastSeq: Number(lastSeq),
      },
    ]),
  );
}

/** What an event adds to its data if its message is in a thread. */
export interface InThread {
  readonly threadId: string;
  /** As of the event: readers replace what they know of the thread. */
  readonly thread: ThreadSummary & { readonly threadId: string };
}

/**
 * Called after the messages were changed. No other event of the room can come between: the event that carries the summary would
 * then lose its seq, and the transaction be repeated.
 * @param threadIds of messages; null for those that are in no thread
 * @returns by thread
 */
export async function threadsAfter(
  tx: Transaction,
  threadIds: readonly (string | null)[],
): Promise<ReadonlyMap<string | null, InThread>> {
  const threads = [...new Set(threadIds.filter((id) => id !== null))];
  const summaries = await readThreadSummaries(tx, threads);
  return new Map(
    threads.map((threadId) => [threadId, { threadId, thread: { threadId, ...summaries.get(threadId)! } }]),
  );
}

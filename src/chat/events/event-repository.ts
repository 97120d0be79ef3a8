/** SQL of events that are appended in a transaction of their own. Messages: append-statement.ts. */
import { and, eq, sql } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { newId } from '../../database/new-id.ts';
import { addJob } from '../../database/queue.ts';
import { events } from '../../database/tables/event-tables.ts';
import { epochExpression } from '../../realtime/cluster/log-row.ts';
import type { ModeratedDraft } from '../state/message-draft.ts';
import type { RevocationHorizon } from './append-statement.ts';

/** An event about to be appended. `data` is stored, and shown as `LogReader` makes it. */
export interface DraftEvent {
  readonly type: string;
  readonly actorId: string;
  readonly messageId?: string;
  readonly data: Record<string, unknown>;
  /** Of a `message.created` event. */
  readonly message?: { readonly draft: ModeratedDraft; readonly marks: number };
}

/** The room's position is of a log that is no more. Nothing was stored. */
export class LogReplaced extends Error {}
/** The event before the first one is missing in Postgres. Nothing was stored. */
export class EventMissing extends Error {}

/**
 * @param epoch of the log that `firstSeq` belongs to
 * @returns the events' time, milliseconds since the epoch
 * @throws LogReplaced, EventMissing; a unique violation when a seq is taken
 */
export async function insertEvents(
  tx: Transaction,
  { roomId, firstSeq, epoch }: { readonly roomId: string; readonly firstSeq: number; readonly epoch: string },
  drafts: readonly DraftEvent[],
): Promise<number> {
  const [log] = await tx.execute<{ same: boolean; continued: boolean; at_ms: string }>(sql`
    select ${sql.raw(epochExpression)} = ${epoch} as same,
      ${firstSeq === 1} or exists (select 1 from events where room_id = ${roomId} and seq = ${firstSeq - 1}) as continued,
      (extract(epoch from date_trunc('milliseconds', now())) * 1000)::bigint::text as at_ms
    from log_identity`);
  if (!log?.same) throw new LogReplaced();
  if (!log.continued) throw new EventMissing();
  const at = sql`date_trunc('milliseconds', now())`;
  await tx.insert(events).values(
    drafts.map(({ type, actorId, messageId, data, message }, index) => ({
      ...{ roomId, seq: firstSeq + index },
      ...{ type, at, actorId, messageId, data },
      ...(message ? createdColumns(message) : {}),
    })),
  );
  return Number(log.at_ms);
}

function createdColumns({ draft, marks }: NonNullable<DraftEvent['message']>) {
  const { clientId, digest, text, html, mentions, replyTo, mentionsAll, threadId, alsoInRoom } = draft;
  const threaded = { threadId, alsoInRoom: alsoInRoom || null };
  return { ...{ clientId, digest, text, html, mentions, replyTo, mentionsAll }, ...threaded, marks };
}

/** The message that a sender's clientId was used for in a room. */
export async function findStoredKey(
  tx: Transaction,
  { roomId, authorId, clientId }: Pick<ModeratedDraft, 'roomId' | 'authorId' | 'clientId'>,
): Promise<{ messageId: string; seq: number; digest: bigint; atMs: number } | undefined> {
  const [row] = await tx
    .select({ messageId: events.messageId, seq: events.seq, digest: events.digest, at: events.at })
    .from(events)
    .where(and(eq(events.roomId, roomId), eq(events.actorId, authorId), eq(events.clientId, clientId)));
  return row && { messageId: row.messageId!, seq: row.seq, digest: row.digest!, atMs: row.at.getTime() };
}

/** Whether a login has ended that the caller does not know of. */
export async function hasUnknownRevocation(tx: Transaction, { xmin, knownIds }: RevocationHorizon): Promise<boolean> {
  const known = sql`${`{${knownIds.join(',')}}`}::bigint[]`;
  const rows = await tx.execute(
    sql`select 1 from revocations where xid >= ${xmin}::xid8 and id <> all(${known}) limit 1`,
  );
  return rows.length > 0;
}

/** The author, the people mentioned and the author of the first message follow the thread from here on. */
export async function followThread(
  tx: Transaction,
  { threadId, roomId, authorId, mentions }: Pick<ModeratedDraft, 'threadId' | 'roomId' | 'authorId' | 'mentions'>,
  seq: number,
): Promise<void> {
  const mentioned = sql`${`{${mentions.join(',')}}`}::uuid[]`;
  await tx.execute(sql`select parley_follow_thread(${threadId}, ${roomId}, ${seq}, ${authorId}, ${mentioned})`);
}

/** Lets the job worker fetch the pages that a message links to. */
export async function addPreviewFetch(
  tx: Transaction,
  { roomId, messageId }: { readonly roomId: string; readonly messageId: string },
): Promise<void> {
  // The queue may lose a job whose key is that of one that starts just now, so each has a key of its own.
  await addJob(tx, 'link_previews', { roomId, messageId }, { key: `link-previews:${messageId}:${newId()}` });
}

/** Lets the job worker look for unread messages in the room. */
export async function addMailCheck(tx: Transaction, roomId: string, delayMs: number): Promise<void> {
  const runAt = sql`now() + ${delayMs} * interval '1 millisecond'`;
  await addJob(tx, 'room_unread', { roomId }, { key: `room-unread:${roomId}`, runAt });
}

/** SQL of events that are appended in a transaction of their own. Messages: append-statement.ts. */
import { sql } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { events } from '../../database/tables/event-tables.ts';
import { epochExpression } from '../../realtime/cluster/log-row.ts';

/** An event about to be appended. `data` is stored, and shown as `LogReader` makes it. */
export interface DraftEvent {
  readonly type: string;
  readonly actorId: string;
  readonly messageId?: string;
  readonly data: Record<string, unknown>;
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
    drafts.map(({ type, actorId, messageId, data }, index) => ({
      ...{ roomId, seq: firstSeq + index },
      ...{ type, at, actorId, messageId, data },
    })),
  );
  return Number(log.at_ms);
}

/** Deletes moderation rows after their retention time. Every instance runs it; a row that another instance deleted is no error. */
import { sql as drizzleSql } from 'drizzle-orm';
import type { Logger } from 'pino';
import type { Database, Sql, Transaction } from '../../database/connect.ts';

/** Milliseconds. */
export interface RetentionTimes {
  /** Texts of messages that moderators removed. */
  readonly keepRemoved: number;
  readonly keepRefusals: number;
  readonly keepAudit: number;
}

const everyMs = 3_600_000;
/** Rows that one statement deletes, so that no statement takes long. */
const rowsMax = 5000;
/** Messages that one run forgets. */
const removalsMax = 500;

export function startModerationRetention({
  db,
  sql,
  keep,
  purge,
  logger,
}: {
  db: Database;
  sql: Sql;
  keep: RetentionTimes;
  /** Deletes what belongs to messages that are gone for good. */
  purge: (tx: Transaction, messageIds: readonly string[]) => Promise<void>;
  logger: Logger;
}): {
  readonly run: () => Promise<void>;
  readonly stop: () => void;
} {
  const older = (ms: number) => sql`now() - ${ms} * interval '1 millisecond'`;

  /** A removed message that is too old to be restored loses its files, reactions and whatever else belongs to it. */
  async function forgetOldRemovals(): Promise<void> {
    await db.transaction(async (tx) => {
      const old = await tx.execute<{ id: string }>(drizzleSql`
        delete from moderation_removals where message_id in (select message_id from moderation_removals
          where removed_at < now() - ${keep.keepRemoved} * interval '1 millisecond' limit ${removalsMax})
        returning message_id as id`);
      await purge(
        tx,
        old.map(({ id }) => id),
      );
    });
  }

  async function run(): Promise<void> {
    await forgetOldRemovals();
    await sql`delete from moderation_blocks where id in (
      select id from moderation_blocks where created_at < ${older(keep.keepRefusals)} limit ${rowsMax})`;
    await sql`delete from moderation_audit where id in (
      select id from moderation_audit where created_at < ${older(keep.keepAudit)} limit ${rowsMax})`;
  }

  const timer = setInterval(() => {
    run().catch((error: unknown) =>
      logger.debug({ error }, 'old moderation rows could not be deleted; the next try is in an hour'),
    );
  }, everyMs);
  return { run, stop: () => clearInterval(timer) };
}

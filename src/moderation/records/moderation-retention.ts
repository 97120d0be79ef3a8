/** Deletes moderation rows after their retention time. Every instance runs it; a row that another instance deleted is no error. */
import type { Logger } from 'pino';
import type { Sql } from '../../database/connect.ts';

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

export function startModerationRetention({ sql, keep, logger }: { sql: Sql; keep: RetentionTimes; logger: Logger }): {
  readonly run: () => Promise<void>;
  readonly stop: () => void;
} {
  const older = (ms: number) => sql`now() - ${ms} * interval '1 millisecond'`;

  async function run(): Promise<void> {
    await sql`delete from moderation_removals where message_id in (
      select message_id from moderation_removals where removed_at < ${older(keep.keepRemoved)} limit ${rowsMax})`;
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

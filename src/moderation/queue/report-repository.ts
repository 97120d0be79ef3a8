/** The rows of reports. */
import { and, count, eq, sql } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { Transaction } from '../../database/connect.ts';
import { moderationQueue, moderationReports } from '../../database/tables/moderation-tables.ts';

/** Reports that a user made in the last 24 hours. */
export async function countRecentReports(tx: Transaction, reporterId: string): Promise<number> {
  const recent = sql`${moderationReports.createdAt} > now() - interval '1 day'`;
  const [reports] = await tx
    .select({ count: count() })
    .from(moderationReports)
    .where(and(eq(moderationReports.reporterId, reporterId), recent));
  return reports!.count;
}

/** Opens an entry for a message, or finds and locks the open one: a decision about it waits. @returns its id */
export async function lockOpenEntry(
  tx: Transaction,
  message: { roomId: string; messageId: string; authorId: string },
): Promise<string> {
  const [entry] = await tx
    .insert(moderationQueue)
    .values({ id: uuidv7(), ...message, source: 'report' })
    .onConflictDoUpdate({
      target: moderationQueue.messageId,
      targetWhere: sql`state = 'open'`,
      // Changes nothing, but locks the row.
      set: { state: 'open' },
    })
    .returning({ id: moderationQueue.id });
  return entry!.id;
}

/** Stores a report, or replaces the reason of the one that this user made before. */
export async function storeReport(
  tx: Transaction,
  report: { queueId: string; reporterId: string; reason: string },
): Promise<{ createdAt: Date; repeated: boolean }> {
  const [stored] = await tx
    .insert(moderationReports)
    .values(report)
    .onConflictDoUpdate({
      target: [moderationReports.queueId, moderationReports.reporterId],
      set: { reason: report.reason },
    })
    // xmax is 0 for a row that was inserted now.
    .returning({ createdAt: moderationReports.createdAt, repeated: sql<boolean>`xmax <> 0` });
  return stored!;
}

/** A reader's complaint about a message: it opens the message's entry in the queue, or joins the one that is open. */
import { and, count, eq, sql } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { Message } from '../../chat/state/message-shape.ts';
import { requireText } from '../../chat/state/message-text.ts';
import type { Database } from '../../database/connect.ts';
import { moderationQueue, moderationReports } from '../../database/tables/moderation-tables.ts';
import { Failure, invalid } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';

export interface Report {
  readonly id: string;
  readonly roomId: string;
  readonly messageId: string;
  readonly reason: string;
  readonly createdAt: string;
}

export interface ReportService {
  /**
   * One report per person and open entry: a repetition replaces its reason.
   * @throws Failure `not_found` for a message that the caller may not read or that is gone, `invalid` for one's own,
   * `rate_limited` beyond the day's number
   */
  readonly report: (
    caller: Caller,
    message: { roomId: string; messageId: string; reason: string },
  ) => Promise<{ report: Report; repeated: boolean }>;
}

/** Code points of a reason. */
const reasonMax = 1000;

export function createReportService({
  db,
  findMessage,
  reportsPerDay,
}: {
  db: Database;
  /** A message that the caller may report. */
  findMessage: (caller: Caller, roomId: string, messageId: string) => Promise<Message>;
  reportsPerDay: number;
}): ReportService {
  async function report(caller: Caller, given: { roomId: string; messageId: string; reason: string }) {
    const { roomId, messageId } = given;
    const reason = requireText(given.reason.trim(), '/reason', reasonMax);
    const message = await findMessage(caller, roomId, messageId);
    if (message.deletedAt) throw new Failure('not_found', 'no such message');
    if (message.sender.id === caller.userId) throw invalid('/messageId', 'is your own message');
    return db.transaction(async (tx) => {
      const [today] = await tx
        .select({ count: count() })
        .from(moderationReports)
        .where(
          and(
            eq(moderationReports.reporterId, caller.userId),
            sql`${moderationReports.createdAt} > now() - interval '1 day'`,
          ),
        );
      if (today!.count >= reportsPerDay)
        throw new Failure('rate_limited', 'too many reports in a day', { retryAfterMs: 3_600_000 });
      // The update changes nothing; it locks the open entry against a decision that is under way.
      const [entry] = await tx
        .insert(moderationQueue)
        .values({ id: uuidv7(), roomId, messageId, authorId: message.sender.id, source: 'report' })
        .onConflictDoUpdate({
          target: moderationQueue.messageId,
          targetWhere: sql`state = 'open'`,
          set: { state: 'open' },
        })
        .returning({ id: moderationQueue.id });
      const [stored] = await tx
        .insert(moderationReports)
        .values({ queueId: entry!.id, reporterId: caller.userId, reason })
        .onConflictDoUpdate({ target: [moderationReports.queueId, moderationReports.reporterId], set: { reason } })
        .returning({ createdAt: moderationReports.createdAt, repeated: sql<boolean>`xmax <> 0` });
      const { createdAt, repeated } = stored!;
      return {
        report: { id: entry!.id, roomId, messageId, reason, createdAt: createdAt.toISOString() },
        repeated,
      };
    });
  }

  return { report };
}

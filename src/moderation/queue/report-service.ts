/** Reports of messages. A report opens the message's entry in the moderation queue, or joins the open one. */
import type { Message } from '../../chat/state/message-shape.ts';
import { requireText } from '../../chat/state/message-text.ts';
import type { Database } from '../../database/connect.ts';
import { Failure, invalid } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { countRecentReports, lockOpenEntry, storeReport } from './report-repository.ts';

export interface Report {
  /** Of the queue entry. */
  readonly id: string;
  readonly roomId: string;
  readonly messageId: string;
  readonly reason: string;
  /** RFC 3339. */
  readonly createdAt: string;
}

export interface ReportService {
  /**
   * There is one report per user and open entry: a second one replaces the reason.
   * @throws Failure `not_found` for a message that the caller may not read or that is deleted, `invalid` for their own
   * message, `rate_limited` beyond the reports per day
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
    const { userId: reporterId } = caller;
    const reason = requireText(given.reason.trim(), '/reason', reasonMax);
    const message = await findMessage(caller, roomId, messageId);
    if (message.deletedAt) throw new Failure('not_found', 'no such message');
    if (message.sender.id === reporterId) throw invalid('/messageId', 'is your own message');
    return db.transaction(async (tx) => {
      if ((await countRecentReports(tx, reporterId)) >= reportsPerDay)
        throw new Failure('rate_limited', 'too many reports in one day', { retryAfterMs: 3_600_000 });
      const id = await lockOpenEntry(tx, { roomId, messageId, authorId: message.sender.id });
      const { createdAt, repeated } = await storeReport(tx, { queueId: id, reporterId, reason });
      return { report: { id, roomId, messageId, reason, createdAt: createdAt.toISOString() }, repeated };
    });
  }

  return { report };
}

/** Puts what the engine flagged before the moderators: one open entry per message. */
import { sql } from 'drizzle-orm';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { Database } from '../database/connect.ts';
import { moderationQueue } from '../database/tables.ts';
import type { Verdict } from '../processing/processing-client.ts';

export interface FlaggedMessage {
  readonly roomId: string;
  readonly messageId: string;
  readonly authorId: string;
  readonly verdict: Verdict;
}

/** @returns a listener that never throws: the message is stored, whatever becomes of its entry */
export function createFlagRecorder({
  db,
  logger,
}: {
  db: Database;
  logger: Logger;
}): (flagged: FlaggedMessage) => void {
  async function record({ roomId, messageId, authorId, verdict }: FlaggedMessage): Promise<void> {
    await db
      .insert(moderationQueue)
      .values({
        id: uuidv7(),
        roomId,
        messageId,
        authorId,
        source: 'engine',
        labels: [...verdict.labels],
        spamScore: verdict.spamScore,
        engineVersion: verdict.engineVersion,
      })
      .onConflictDoUpdate({
        target: moderationQueue.messageId,
        targetWhere: sql`state = 'open'`,
        set: {
          labels: sql`excluded.labels`,
          spamScore: sql`excluded.spam_score`,
          engineVersion: sql`excluded.engine_version`,
        },
      });
  }

  return (flagged) => {
    record(flagged).catch((error: unknown) =>
      logger.warn({ error, messageId: flagged.messageId }, 'a flagged message could not be put before the moderators'),
    );
  };
}

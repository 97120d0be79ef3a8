import { sql } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { newId } from '../../database/new-id.ts';
import { moderationQueue } from '../../database/tables/moderation-tables.ts';
import type { Flag } from '../state/verdict-records.ts';

/**
 * Puts a flagged message into the moderators' queue, in the transaction that stores the flagged text. A message has at
 * most one open entry, which is brought up to date. New messages are recorded by the append itself: append-statement.ts.
 */
export async function recordFlag(
  tx: Transaction,
  message: { roomId: string; messageId: string; authorId: string },
  { labels, spamScore, engineVersion }: Flag,
): Promise<void> {
  await tx
    .insert(moderationQueue)
    .values({ id: newId(), ...message, source: 'engine', labels: [...labels], spamScore, engineVersion })
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

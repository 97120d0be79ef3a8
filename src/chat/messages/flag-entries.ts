/**
 * Entries in the moderators' queue for messages that moderation flagged and that are stored all the same. An entry is part of
 * the commit that stores the message or its new version, so there is no flagged message that moderators do not find.
 */
import { sql } from 'drizzle-orm';
import { LRUCache } from 'lru-cache';
import type { Transaction } from '../../database/connect.ts';
import { newId } from '../../database/new-id.ts';
import { moderationQueue } from '../../database/tables/moderation-tables.ts';
import type { Verdict } from '../../processing/client/processing-client.ts';
import type { Flag } from '../state/verdict-records.ts';

export interface FlagPolicy {
  /**
   * Runs the commit of a judged text.
   * @param commit called at once, with what it records: nothing if the text was not flagged, or if it is a further message of
   *   a flood that moderators know of already
   */
  readonly commit: <Answer>(
    author: { roomId: string; authorId: string },
    verdict: Verdict,
    commit: (flag: Flag | undefined) => Promise<Answer>,
  ) => Promise<Answer>;
}

const floodsMax = 10_000;
/** A flood is one matter for moderators, not one for each of its messages. */
const floodEntryMs = 60_000;

/** Every flagged message is recorded. Of those that are flagged as part of a flood alone, the first in a minute of its author in the room. */
export function createFlagPolicy(): FlagPolicy {
  const recorded = new LRUCache<string, true>({ max: floodsMax, ttl: floodEntryMs });

  async function commitFlood<Answer>(key: string, commit: () => Promise<Answer>): Promise<Answer> {
    recorded.set(key, true);
    try {
      return await commit();
    } catch (error) {
      // Perhaps nothing was stored: the next message of the flood is recorded.
      recorded.delete(key);
      throw error;
    }
  }

  return {
    commit: ({ roomId, authorId }, verdict, commit) => {
      if (verdict.outcome !== 'flag') return commit(undefined);
      const flag = flagOf(verdict);
      if (verdict.labels.length === 0 || verdict.labels.some(({ name }) => name !== 'flood')) return commit(flag);
      const key = `${roomId} ${authorId}`;
      return recorded.has(key) ? commit(undefined) : commitFlood(key, () => commit(flag));
    },
  };
}

function flagOf({ labels, spamScore, engineVersion }: Verdict): Flag {
  // What matched may end within a surrogate pair, which jsonb refuses.
  const stored = labels.map((label) => ({ ...label, matched: label.matched.toWellFormed() }));
  return { labels: stored, spamScore, engineVersion };
}

/** Records a flag in the transaction that stores the flagged text. A message has at most one open entry; this one brings it up to date. */
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

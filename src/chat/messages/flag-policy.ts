/**
 * Which flagged messages get an entry in the moderators' queue. An entry is part of the commit that stores the message
 * or its new version, so there is no flagged message that moderators do not find.
 */
import { LRUCache } from 'lru-cache';
import type { Verdict } from '../../processing/client/processing-client.ts';
import type { Flag } from '../state/verdict-records.ts';

export interface FlagPolicy {
  /**
   * Runs the commit of a judged text.
   * @param commit called synchronously, with the flag to record: undefined if the text was not flagged, or if it is one
   *   more message of a flood that has its entry
   */
  readonly commit: <Answer>(
    author: { readonly roomId: string; readonly authorId: string },
    verdict: Verdict,
    commit: (flag: Flag | undefined) => Promise<Answer>,
  ) => Promise<Answer>;
}

const floodsMax = 10_000;
/** Moderators get one entry for a flood, not one for each of its messages. */
const floodEntryMs = 60_000;

/** Every flagged message gets an entry. Of messages flagged only as a flood, the first in a minute of an author in a room does. */
export function createFlagPolicy(): FlagPolicy {
  const recorded = new LRUCache<string, true>({ max: floodsMax, ttl: floodEntryMs });

  async function commitFlood<Answer>(key: string, commit: () => Promise<Answer>): Promise<Answer> {
    recorded.set(key, true);
    try {
      return await commit();
    } catch (error) {
      // Perhaps nothing was stored. The next message of the flood gets the entry.
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
  // `matched` may end within a surrogate pair, which jsonb refuses.
  const stored = labels.map((label) => ({ ...label, matched: label.matched.toWellFormed() }));
  return { labels: stored, spamScore, engineVersion };
}

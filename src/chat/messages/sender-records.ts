/** How many texts of each user this instance has refused in the last day. The engine gets it with their next texts. */
import { LRUCache } from 'lru-cache';
import type { DraftText } from '../../processing/client/processing-client.ts';

export interface SenderRecords {
  readonly noteBlocked: (userId: string) => void;
  /** Undefined for users without a refused text, which is nearly everybody. */
  readonly find: (userId: string) => DraftText['sender'];
}

const usersMax = 10_000;
const dayMs = 86_400_000;

/** @param nowMs a monotonic clock */
export function createSenderRecords(nowMs: () => number = () => performance.now()): SenderRecords {
  /** The day begins with the first refusal; later ones do not extend it. */
  const blocked = new LRUCache<string, { readonly count: number; readonly untilMs: number }>({ max: usersMax });

  function current(userId: string) {
    const record = blocked.get(userId);
    return record && record.untilMs > nowMs() ? record : undefined;
  }

  return {
    noteBlocked: (userId) => {
      const { count, untilMs } = current(userId) ?? { count: 0, untilMs: nowMs() + dayMs };
      blocked.set(userId, { count: count + 1, untilMs });
    },
    find: (userId) => {
      const record = blocked.size === 0 ? undefined : current(userId);
      return record && { accountAgeSeconds: accountAgeSeconds(userId), blockedLastDay: record.count };
    },
  };
}

/** Ids are UUIDv7: they begin with the time at which they were made (RFC 9562 §5.7). */
function accountAgeSeconds(userId: string): number {
  const madeMs = Number.parseInt(userId.slice(0, 8) + userId.slice(9, 13), 16);
  return Math.max(0, Math.floor((Date.now() - madeMs) / 1000));
}

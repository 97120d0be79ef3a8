/** What this instance has refused of whom lately: the engine is told of it beside their next texts. */
import { LRUCache } from 'lru-cache';
import type { DraftText } from '../../processing/client/processing-client.ts';

export interface SenderRecords {
  readonly noteBlocked: (userId: string) => void;
  /** Undefined for nearly everybody: nothing of theirs was refused. */
  readonly find: (userId: string) => DraftText['sender'];
}

const peopleMax = 10_000;
const dayMs = 86_400_000;

/** @param nowMs a monotonic clock */
export function createSenderRecords(nowMs: () => number = () => performance.now()): SenderRecords {
  /** A day after the first refusal it begins anew: further ones prolong nothing. */
  const blocked = new LRUCache<string, { readonly count: number; readonly untilMs: number }>({ max: peopleMax });

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
      return record && { accountAgeSeconds: ageOf(userId), blockedLastDay: record.count };
    },
  };
}

/** Ids are UUIDv7: they begin with the time at which they were drawn (RFC 9562 §5.7). */
function ageOf(userId: string): number {
  const madeMs = Number.parseInt(userId.slice(0, 8) + userId.slice(9, 13), 16);
  return Math.max(0, Math.floor((Date.now() - madeMs) / 1000));
}

/** What this instance has refused of whom lately: the engine is told of it beside their next texts. */
import { LRUCache } from 'lru-cache';

/** As the engine is told; see processing/text-task.ts. */
interface SenderRecord {
  readonly accountAgeSeconds: number;
  readonly blockedLastDay: number;
}

export interface SenderRecords {
  readonly noteBlocked: (userId: string) => void;
  /** Undefined for nearly everybody: nothing of theirs was refused. */
  readonly find: (userId: string) => SenderRecord | undefined;
}

const peopleMax = 10_000;
const dayMs = 86_400_000;

export function createSenderRecords(): SenderRecords {
  const blocked = new LRUCache<string, number>({ max: peopleMax, ttl: dayMs });

  return {
    noteBlocked: (userId) => void blocked.set(userId, (blocked.get(userId) ?? 0) + 1),
    find: (userId) => {
      const blockedLastDay = blocked.size === 0 ? undefined : blocked.get(userId);
      return blockedLastDay === undefined ? undefined : { accountAgeSeconds: ageOf(userId), blockedLastDay };
    },
  };
}

/** Ids are UUIDv7: they begin with the time at which they were drawn (RFC 9562 §5.7). */
function ageOf(userId: string): number {
  const madeMs = Number.parseInt(userId.slice(0, 8) + userId.slice(9, 13), 16);
  return Math.max(0, Math.floor((Date.now() - madeMs) / 1000));
}

/**
 * Pages of history as the bytes that are sent. The newest page of a room in use is asked for by everybody who opens it, so
 * it is kept. It is as good as the room's position: whatever changes it (a message, an edit, a deletion, a reply) is an
 * event and moves the position. Names in it may be as old as those of live events are.
 */
import { LRUCache } from 'lru-cache';
import type { JsonPage, MessageRepository } from './message-repository.ts';

export interface HistoryPagesSettings {
  /** Bytes of all pages kept. */
  readonly cacheBytes: number;
  /** How long a page is kept, for the names in it. */
  readonly ttlMs: number;
}

export interface HistoryPages {
  /** The newest messages with `from` ≤ seq ≤ `position`, the room's head as of this request, as a `MessagePage`'s JSON. */
  readonly newest: (roomId: string, position: number, from: number, limit: number) => Promise<Buffer>;
}

interface Kept {
  readonly position: number;
  readonly bytes: Buffer;
}

/** What a key and a cache entry cost beside the bytes. */
const overheadBytes = 200;

export function createHistoryPages({
  repository,
  settings,
}: {
  repository: MessageRepository;
  settings: HistoryPagesSettings;
}): HistoryPages {
  const kept = new LRUCache<string, Kept>({
    maxSize: settings.cacheBytes,
    sizeCalculation: ({ bytes }) => bytes.length + overheadBytes,
    ttl: settings.ttlMs,
  });
  const reading = new Map<string, Promise<Buffer>>();

  async function newest(roomId: string, position: number, from: number, limit: number): Promise<Buffer> {
    const key = `${roomId} ${from} ${limit}`;
    const known = kept.get(key);
    if (known?.position === position) return known.bytes;
    const readingKey = `${key} ${position}`;
    const already = reading.get(readingKey);
    if (already) return already;
    const read = repository.newest(roomId, position, from, limit).then((page) => {
      const bytes = pageJson(page);
      kept.set(key, { position, bytes });
      return bytes;
    });
    reading.set(readingKey, read);
    try {
      return await read;
    } finally {
      reading.delete(readingKey);
    }
  }

  return { newest };
}

/** A `MessagePage` as it is sent. */
export function pageJson({ messages, hasMore }: JsonPage): Buffer {
  return Buffer.from(`{"messages":[${messages.join(',')}],"hasMore":${hasMore}}`);
}

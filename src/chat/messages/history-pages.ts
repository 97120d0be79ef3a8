/**
 * Newest pages of history as the bytes that are sent. Everybody who opens a room asks for its newest page, so it is kept. It is as
 * good as the room's position: whatever changes it (a message, an edit, a deletion, a reply) is an event and moves the position, and
 * each request asks for that. Names in it may be as old as those of live events are.
 */
import { LRUCache } from 'lru-cache';
import type { JsonPage, MessageRepository } from './message-repository.ts';
import type { ReadUncachedPage } from './uncached-newest-page.ts';

export interface HistoryPagesSettings {
  /** Bytes of all pages kept. */
  readonly cacheBytes: number;
  /** How long a page is kept, for the names in it. */
  readonly ttlMs: number;
}

export interface HistoryPages {
  /** The newest messages with `from` ≤ seq ≤ `position`, the room's head as of this request, as a `MessagePage`'s JSON. */
  readonly newest: (roomId: string, position: number, from: number, limit: number) => Promise<Buffer>;
  /** The same for a member as of now, without following the room. @returns undefined for whoever is none, or where no such room is */
  readonly forMember: (roomId: string, userId: string, limit: number) => Promise<Buffer | undefined>;
  /** Whether newest messages of the room were asked for a moment ago: then it is worth following. */
  readonly isInUse: (roomId: string) => boolean;
  /** The log was replaced: a position of it says nothing about pages of the one before. */
  readonly startOver: () => void;
}

interface Kept {
  readonly position: number;
  readonly bytes: Buffer;
  /** When it was asked for, by the monotonic clock: names in it are no older. */
  readonly askedMs: number;
}

/** What a key and a cache entry cost beside the bytes. */
const overheadBytes = 200;
/** Rooms of which it is remembered that they were asked for. */
const askedMax = 10_000;

export function createHistoryPages({
  repository,
  readUncachedPage,
  settings,
}: {
  repository: Pick<MessageRepository, 'newest'>;
  readUncachedPage: ReadUncachedPage;
  settings: HistoryPagesSettings;
}): HistoryPages {
  const kept = new LRUCache<string, Kept>({
    maxSize: settings.cacheBytes,
    sizeCalculation: ({ bytes }) => bytes.length + overheadBytes,
  });
  const reading = new Map<string, Promise<Buffer>>();
  /** Counted up when the log was replaced: what was asked for before is not kept. */
  let log = 0;
  /** By room, when a page of it was asked for last. */
  const asked = new LRUCache<string, number>({ max: askedMax });

  async function newest(roomId: string, position: number, from: number, limit: number): Promise<Buffer> {
    const key = `${roomId} ${from} ${limit}`;
    const known = kept.get(key);
    const askedMs = performance.now();
    if (known?.position === position && askedMs - known.askedMs < settings.ttlMs) return known.bytes;
    const askedOf = log;
    const readingKey = `${key} ${position} ${log}`;
    const already = reading.get(readingKey);
    if (already) return already;
    const read = repository.newest(roomId, position, from, limit).then((page) => {
      const bytes = pageJson(page);
      if (askedOf === log) kept.set(key, { position, bytes, askedMs });
      return bytes;
    });
    reading.set(readingKey, read);
    try {
      return await read;
    } finally {
      reading.delete(readingKey);
    }
  }

  async function forMember(roomId: string, userId: string, limit: number): Promise<Buffer | undefined> {
    asked.set(roomId, performance.now());
    const page = await readUncachedPage({ roomId, userId, limit });
    // Not kept: most rooms that are asked for once are not asked for again soon, and memory is for those that are.
    return page && pageJson(page);
  }

  function isInUse(roomId: string): boolean {
    return performance.now() - (asked.get(roomId) ?? Number.NEGATIVE_INFINITY) < settings.ttlMs;
  }

  function startOver(): void {
    log += 1;
    kept.clear();
  }

  return { newest, forMember, isInUse, startOver };
}

/** A `MessagePage` as it is sent. */
export function pageJson({ messages, hasMore }: JsonPage): Buffer {
  return Buffer.from(`{"messages":[${messages.join(',')}],"hasMore":${hasMore}}`);
}

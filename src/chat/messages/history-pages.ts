/**
 * A cache of the newest pages of history, as the bytes that are sent: every client that opens a room asks for its newest
 * page. A page is valid while the room is at the position at which it was read, because everything that changes a page
 * (a message, an edit, a deletion, a reply) is an event and moves the position. Profiles in it may be as old as in live events.
 */
import { LRUCache } from 'lru-cache';
import type { MessageRepository, PositionedPage } from './message-repository.ts';
import type { ReadUncachedPage } from './uncached-newest-page.ts';

export interface HistoryPagesSettings {
  /** Bytes of all cached pages. */
  readonly cacheBytes: number;
  /** A page is kept for this long, because of the profiles in it. */
  readonly ttlMs: number;
}

export interface HistoryPages {
  /** The newest messages with `from` ≤ seq ≤ `position`, the room's head as of this request, as a `MessagePage`'s JSON. */
  readonly newest: (roomId: string, position: number, from: number, limit: number) => Promise<Buffer>;
  /** The same for a member as of now, without following the room. @returns undefined if the user is not a member or the room does not exist */
  readonly forMember: (roomId: string, userId: string, limit: number) => Promise<Buffer | undefined>;
  /** Whether the newest page was requested a moment ago: then the room is worth following. */
  readonly isInUse: (roomId: string) => boolean;
  /** The log was replaced: its positions say nothing about pages of the old log. */
  readonly startOver: () => void;
}

interface Kept {
  readonly position: number;
  readonly bytes: Buffer;
  /** When it was requested, monotonic milliseconds: the profiles in it are no older. */
  readonly askedMs: number;
}

/** Memory of a key and a cache entry beside the bytes. */
const overheadBytes = 200;
/** Rooms whose last request is remembered. */
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
  /** Counts the logs. A page that was requested of an earlier log is not cached. */
  let log = 0;
  /** By room, when a page was last requested. */
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
      const bytes = pageJson({ ...page, seq: position });
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
    // Not cached: most rooms that are opened once are not opened again soon.
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

/** The bytes of a `MessagePage`. */
export function pageJson({ messages, hasMore, seq }: PositionedPage): Buffer {
  return Buffer.from(`{"messages":[${messages.join(',')}],"hasMore":${hasMore},"seq":${seq}}`);
}

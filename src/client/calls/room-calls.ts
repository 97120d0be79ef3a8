/** Reading and making rooms over REST. */

import type { Member, Message, OwnRoom, ReadState, Receipt, Room } from '../types.ts';
import type { Call } from './rest.ts';

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

export interface HistoryPage {
  readonly messages: readonly Message[];
  readonly hasMore: boolean;
  /** The room's position when the page was read. The page may contain later events as well. */
  readonly seq: number;
}

export interface NewRoom {
  readonly name: string;
  readonly visibility: 'public' | 'private';
  readonly topic?: string;
  readonly memberIds?: readonly string[];
}

export interface RoomCalls {
  /** All rooms that the person is a member of. */
  readonly rooms: () => Promise<readonly OwnRoom[]>;
  readonly createRoom: (room: NewRoom) => Promise<Room>;
  /** The newest messages, or those at a seq, oldest first. Messages that are in a thread alone are left out. */
  readonly history: (roomId: string, range?: HistoryRange) => Promise<HistoryPage>;
  readonly members: (roomId: string) => Promise<readonly Member[]>;
  /** Members whose username or name begins with the text, those who wrote last first. */
  readonly findMembers: (roomId: string, query: string) => Promise<readonly Member[]>;
  /** Marks the messages from `seq` on as unread. */
  readonly markUnread: (roomId: string, seq: number) => Promise<ReadState>;
  readonly receipts: (roomId: string) => Promise<readonly Receipt[]>;
}

/** At most one of `before`, `after` and `around`, each a seq; none: the newest messages. */
export interface HistoryRange {
  readonly before?: number;
  readonly after?: number;
  readonly around?: number;
  readonly limit?: number;
}

/** The query of a range, with its question mark. */
export function historyQuery(
  { limit = 50, ...range }: HistoryRange,
  more: Readonly<Record<string, string>> = {},
): string {
  const given = Object.entries(range).filter(([, value]) => value !== undefined);
  const at = given.map(([name, value]) => [name, String(value)]);
  return `?${new URLSearchParams([['limit', String(limit)], ...at, ...Object.entries(more)] as string[][])}`;
}

/** Reads all pages of a list. @param path without a cursor */
export async function readAll<Item>(call: Call, path: string): Promise<Item[]> {
  const items: Item[] = [];
  const begin = path.includes('?') ? '&' : '?';
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query: string = cursor ? `${begin}cursor=${encodeURIComponent(cursor)}` : '';
    const page: Page<Item> = await call('GET', path + query);
    items.push(...page.items);
    cursor = page.nextCursor;
  }
  return items;
}

export function createRoomCalls(call: Call): RoomCalls {
  return {
    rooms: () => readAll(call, '/v1/rooms?limit=100'),
    createRoom: (room) => call('POST', '/v1/rooms', room),
    history: (roomId, range = {}) => call('GET', `/v1/rooms/${roomId}/messages${historyQuery(range)}`),
    members: (roomId) => readAll(call, `/v1/rooms/${roomId}/members?limit=100`),
    findMembers: async (roomId, query) => {
      const path = `/v1/rooms/${roomId}/members?limit=8&query=${encodeURIComponent(query)}`;
      return (await call<Page<Member>>('GET', path)).items;
    },
    markUnread: (roomId, seq) => call('PUT', `/v1/rooms/${roomId}/unread`, { seq }),
    receipts: (roomId) => readAll(call, `/v1/rooms/${roomId}/receipts`),
  };
}

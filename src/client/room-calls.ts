/** Reading and making rooms over REST. */
import type { Call } from './rest.ts';
import type { Message, OwnRoom, Room } from './types.ts';

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

export interface HistoryPage {
  readonly messages: readonly Message[];
  readonly hasMore: boolean;
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
  /** The newest messages, or those before a seq, oldest first. */
  readonly history: (roomId: string, range?: { before?: number; limit?: number }) => Promise<HistoryPage>;
}

export function createRoomCalls(call: Call): RoomCalls {
  return {
    rooms: async () => {
      const rooms: OwnRoom[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const query: string = cursor ? `&cursor=${encodeURIComponent(cursor)}` : '';
        const page: Page<OwnRoom> = await call('GET', `/v1/rooms?limit=100${query}`);
        rooms.push(...page.items);
        cursor = page.nextCursor;
      }
      return rooms;
    },
    createRoom: (room) => call('POST', '/v1/rooms', room),
    history: (roomId, { before, limit = 50 } = {}) =>
      call('GET', `/v1/rooms/${roomId}/messages?limit=${limit}${before === undefined ? '' : `&before=${before}`}`),
  };
}

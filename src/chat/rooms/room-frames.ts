/** Typing, and watching a public room without joining it. */
import { Type } from 'typebox';
import { Failure } from '../../errors.ts';
import { Uuid } from '../../http/input/schemas.ts';
import { TokenBucket } from '../../http/limits/token-bucket.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import { type FrameHandlers, frameHandler } from '../../realtime/gateway/frame-handlers.ts';
import type { Connection } from '../../realtime/socket/connection.ts';
import type { Contact } from '../membership/contact.ts';
import type { RoomState } from '../state/room-state.ts';
import type { RoomService } from './room-service.ts';

export interface RoomFrameSettings {
  readonly typingPerSecond: number;
  readonly roomsPerSocket: number;
}

export function roomFrames({
  hub,
  rooms,
  contact,
  nowMs,
  settings,
}: {
  hub: Hub<RoomState>;
  rooms: RoomService;
  contact: Contact;
  nowMs: () => number;
  settings: RoomFrameSettings;
}): FrameHandlers {
  const typingRates = new WeakMap<Connection, Map<string, TokenBucket>>();

  function requireTypingRate(connection: Connection, roomId: string): void {
    const rates = typingRates.get(connection) ?? new Map<string, TokenBucket>();
    typingRates.set(connection, rates);
    const now = performance.now();
    // Starting and stopping at once is one act of typing.
    const rate = rates.get(roomId) ?? new TokenBucket(settings.typingPerSecond, settings.typingPerSecond + 1, now);
    if (!rates.has(roomId) && rates.size >= settings.roomsPerSocket) rates.clear();
    rates.set(roomId, rate);
    const wait = rate.take(now);
    if (wait > 0) throw new Failure('rate_limited', 'typing too fast', { retryAfterMs: wait });
  }

  return {
    ping: frameHandler({}, () => ({})),
    typing: frameHandler(
      { roomId: Uuid, active: Type.Boolean() },
      async ({ connection, caller }, { roomId, active }) => {
        // What this instance remembers of a room where nobody reads here may be old.
        const feed = await rooms.follow(roomId);
        feed.state.require(caller, 'post');
        feed.state.requireUnmuted(caller.userId, nowMs());
        requireTypingRate(connection, roomId);
        const [, hiddenFrom] = await Promise.all([
          contact.requireConversation(feed.state, caller.userId),
          contact.hiddenFrom(caller.userId),
        ]);
        const json = JSON.stringify({ type: 'typing', roomId, data: { userId: caller.userId, active } });
        if (hiddenFrom) hub.signalRoom(roomId, json, [caller.userId, ...hiddenFrom]);
        return {};
      },
    ),
    'room.open': frameHandler({ roomId: Uuid }, async ({ connection, caller }, { roomId }) => {
      const { state } = await rooms.follow(roomId);
      // Staff may open a private room to read it, but is no silent listener in it.
      if (!state.isPublic() && !state.isMember(caller.userId)) {
        state.requireKnown(caller);
        throw new Failure('forbidden', 'only public rooms are watched');
      }
      const feed = await rooms.followToRead(caller, roomId);
      if (!hub.isReading(connection, roomId) && hub.readingCount(connection) >= settings.roomsPerSocket) {
        throw new Failure('rate_limited', `at most ${settings.roomsPerSocket} rooms per socket; close one first`, {
          retryAfterMs: 30_000,
        });
      }
      const { result, seq } = await hub.attach(connection, roomId, feed.position, 'watcher');
      if (result === 'left') throw new Failure('not_found', 'no such room');
      return { seq };
    }),
    'room.close': frameHandler({ roomId: Uuid }, ({ connection, caller }, { roomId }) => {
      // Members read their rooms as long as they are members.
      if (!hub.loadedFeed(roomId)?.state.isMember(caller.userId)) hub.detach(connection, roomId);
      return {};
    }),
  };
}

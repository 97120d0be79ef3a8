/** Frames about rooms: typing, and watching a public room without joining it. */
import { Type } from 'typebox';
import { Failure } from '../../errors.ts';
import { Uuid } from '../../http/input/schemas.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import { type FrameHandlers, frameHandler } from '../../realtime/gateway/frame-handlers.ts';
import type { Connection } from '../../realtime/socket/connection.ts';
import type { Contact } from '../membership/contact.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import type { RoomAccess } from './room-access.ts';
import { createTypingRates, type TypingRateSettings } from './typing-rates.ts';

export interface RoomFrameParts {
  readonly hub: Hub<RoomState>;
  readonly access: RoomAccess;
  readonly contact: Contact;
  /** Postgres' clock. */
  readonly nowMs: () => number;
  readonly settings: TypingRateSettings & {
    /** In rooms of more members typing is not sent: each signal would cost as many frames. */
    readonly typingMax: number;
  };
}

export function roomFrames(parts: RoomFrameParts): FrameHandlers {
  const requireTypingRate = createTypingRates(parts.settings);
  return {
    ping: frameHandler({}, () => ({})),
    typing: frameHandler(
      { roomId: Uuid, active: Type.Boolean(), threadId: Type.Optional(Uuid) },
      async ({ connection, caller }, { roomId, active, threadId }) => {
        const { state } = await requireTyping(parts, caller, roomId);
        requireTypingRate(connection, roomId);
        const data = { userId: caller.userId, active, ...(threadId === undefined ? {} : { threadId }) };
        await signalTyping(parts, state, roomId, data);
        return {};
      },
    ),
    'room.open': frameHandler({ roomId: Uuid }, async ({ connection, caller }, { roomId }) => ({
      seq: await watch(parts, connection, caller, roomId),
    })),
    'room.close': frameHandler({ roomId: Uuid }, ({ connection, caller }, { roomId }) => {
      // A member's connection reads the room as long as the membership lasts.
      if (!parts.hub.loadedFeed(roomId)?.state.isMember(caller.userId)) parts.hub.detach(connection, roomId);
      return {};
    }),
  };
}

/** Only members who may post may show that they type. @throws Failure `not_found`, `forbidden`, `muted` */
async function requireTyping({ access, nowMs }: RoomFrameParts, caller: Actor, roomId: string) {
  // Nobody on this instance may read the room, so its state in memory may be old: follow brings it up to date.
  const feed = await access.follow(roomId);
  feed.state.require(caller, 'post');
  feed.state.requireUnmuted(caller.userId, nowMs());
  return feed;
}

async function signalTyping(
  { hub, contact, settings }: RoomFrameParts,
  state: RoomState,
  roomId: string,
  data: { readonly userId: string; readonly active: boolean; readonly threadId?: string },
): Promise<void> {
  if (state.members.size > settings.typingMax) return;
  const { userId } = data;
  const [, hiddenFrom] = await Promise.all([contact.requireConversation(state, userId), contact.hiddenFrom(userId)]);
  if (!hiddenFrom) return;
  const json = JSON.stringify({ type: 'typing', roomId, data });
  hub.signalRoom(roomId, json, [userId, ...hiddenFrom]);
}

/** @returns the seq up to which the watcher has everything */
async function watch(
  { hub, access, settings }: RoomFrameParts,
  connection: Connection,
  caller: Actor,
  roomId: string,
): Promise<number> {
  const { state } = await access.follow(roomId);
  // Staff may open a private room to read its history, but do not watch it unseen.
  if (!state.isPublic() && !state.isMember(caller.userId)) {
    state.requireKnown(caller);
    throw new Failure('forbidden', 'only public rooms can be watched');
  }
  const feed = await access.followToRead(caller, roomId);
  if (!hub.isReading(connection, roomId) && hub.readingCount(connection) >= settings.roomsPerSocket) {
    throw new Failure('rate_limited', `at most ${settings.roomsPerSocket} rooms per socket; close one first`, {
      retryAfterMs: 30_000,
    });
  }
  const { result, seq } = await hub.attach(connection, roomId, feed.position, 'watcher');
  if (result === 'left') throw new Failure('not_found', 'no such room');
  return seq;
}

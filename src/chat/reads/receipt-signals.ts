/**
 * Tells the readers of a room how far others have read, in rooms with `receipts`. A person who scrolls moves their marker
 * many times a second, so only the newest position in each interval is sent. Large rooms get none: everybody's
 * marker would go to everybody.
 */
import type { Logger } from 'pino';
import { startPoller } from '../../concurrency/poller.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { RoomState } from '../state/room-state.ts';
import type { ReceiptRepository } from './receipt-repository.ts';

export interface ReceiptSignals {
  readonly markerMoved: (feed: Feed<RoomState>, userId: string, lastReadSeq: number) => void;
  readonly stop: () => void;
}

interface Moved {
  readonly roomId: string;
  readonly userId: string;
  readonly lastReadSeq: number;
}

export interface ReceiptSettings {
  /** Rooms with more members get no `receipt.updated`. */
  readonly receiptsMax: number;
  /** Milliseconds between two signals of one member. */
  readonly receiptsInterval: number;
}

export function createReceiptSignals({
  hub,
  follow,
  hiddenFrom,
  logger,
  settings: { receiptsMax, receiptsInterval },
}: {
  hub: Pick<Hub<RoomState>, 'signalRoom'>;
  /** A room at its head as of now. @throws Failure `not_found` */
  follow: (roomId: string) => Promise<Feed<RoomState>>;
  hiddenFrom: ReceiptRepository['hiddenFrom'];
  logger: Logger;
  settings: ReceiptSettings;
}): ReceiptSignals {
  let moved = new Map<string, Moved>();

  const isSent = ({ settings, members }: RoomState, userId: string) =>
    settings.receipts && members.size <= receiptsMax && members.has(userId);

  /** Rooms that cannot be followed now are left out: a receipt is worth no repeat. */
  async function followAll(roomIds: readonly string[]): Promise<ReadonlyMap<string, Feed<RoomState>>> {
    const followed = await Promise.allSettled(roomIds.map(follow));
    return new Map(
      followed.flatMap((each) => (each.status === 'fulfilled' ? [[each.value.roomId, each.value] as const] : [])),
    );
  }

  async function send(): Promise<void> {
    const sent = [...moved.values()];
    if (sent.length === 0) return;
    moved = new Map();
    const hidden = await hiddenFrom(sent.map(({ userId }) => userId));
    // A marker moved a moment ago. Members may have been removed since, also through other instances.
    const feeds = await followAll([...new Set(sent.map(({ roomId }) => roomId))]);
    for (const [index, { roomId, userId, lastReadSeq }] of sent.entries()) {
      const [feed, except] = [feeds.get(roomId), hidden[index]];
      // The setting may have been switched off since, and the member may have left.
      if (!feed || !except || !isSent(feed.state, userId)) continue;
      const json = JSON.stringify({ type: 'receipt.updated', roomId, data: { userId, lastReadSeq } });
      hub.signalRoom(roomId, json, [userId, ...except]);
    }
  }

  const sending = startPoller({
    work: send,
    everyMs: receiptsInterval,
    onError: (error) => logger.debug({ error }, 'read receipts could not be sent'),
  });

  return {
    markerMoved: ({ roomId, state }, userId, lastReadSeq) => {
      if (isSent(state, userId)) moved.set(`${roomId} ${userId}`, { roomId, userId, lastReadSeq });
    },
    stop: sending.stop,
  };
}

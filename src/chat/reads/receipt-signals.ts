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
  readonly feed: Feed<RoomState>;
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
  hiddenFrom,
  logger,
  settings: { receiptsMax, receiptsInterval },
}: {
  hub: Pick<Hub<RoomState>, 'signalRoom'>;
  hiddenFrom: ReceiptRepository['hiddenFrom'];
  logger: Logger;
  settings: ReceiptSettings;
}): ReceiptSignals {
  let moved = new Map<string, Moved>();

  const isSent = ({ settings, members }: RoomState, userId: string) =>
    settings.receipts && members.size <= receiptsMax && members.has(userId);

  async function send(): Promise<void> {
    const sent = [...moved.values()];
    if (sent.length === 0) return;
    moved = new Map();
    const hidden = await hiddenFrom(sent.map(({ userId }) => userId));
    for (const [index, { feed, userId, lastReadSeq }] of sent.entries()) {
      const except = hidden[index];
      // The setting may have been switched off since, and the member may have left.
      if (!except || !isSent(feed.state, userId)) continue;
      const json = JSON.stringify({ type: 'receipt.updated', roomId: feed.roomId, data: { userId, lastReadSeq } });
      hub.signalRoom(feed.roomId, json, [userId, ...except]);
    }
  }

  const sending = startPoller({
    work: send,
    everyMs: receiptsInterval,
    onError: (error) => logger.debug({ error }, 'read receipts could not be sent'),
  });

  return {
    markerMoved: (feed, userId, lastReadSeq) => {
      if (isSent(feed.state, userId)) moved.set(`${feed.roomId} ${userId}`, { feed, userId, lastReadSeq });
    },
    stop: sending.stop,
  };
}

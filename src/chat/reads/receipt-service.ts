/** Read receipts for people who may read the room. */
import { Failure } from '../../errors.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import type { Receipt, ReceiptRepository } from './receipt-repository.ts';

export interface ReceiptService {
  /** By user id. @throws Failure `not_found`, `banned`, `forbidden` where the room has no receipts */
  readonly list: (
    actor: Actor,
    roomId: string,
    after: string | undefined,
    limit: number,
  ) => Promise<readonly Receipt[]>;
}

export function createReceiptService({
  repository,
  followToRead,
}: {
  repository: Pick<ReceiptRepository, 'list'>;
  /** A room at its head as of now, for somebody who may read there. @throws Failure `not_found`, `banned` */
  followToRead: (actor: Actor, roomId: string) => Promise<Feed<RoomState>>;
}): ReceiptService {
  return {
    list: async (actor, roomId, after, limit) => {
      const { state } = await followToRead(actor, roomId);
      if (!state.settings.receipts) throw new Failure('forbidden', 'this room has no read receipts');
      return repository.list(roomId, actor.userId, after, limit);
    },
  };
}

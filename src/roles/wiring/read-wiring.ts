/** Read markers, and the receipts that others see of them. */
import { createReadRepository } from '../../chat/reads/read-repository.ts';
import { createReadService, type ReadService } from '../../chat/reads/read-service.ts';
import { createReceiptRepository } from '../../chat/reads/receipt-repository.ts';
import { createReceiptService, type ReceiptService } from '../../chat/reads/receipt-service.ts';
import { createReceiptSignals } from '../../chat/reads/receipt-signals.ts';
import type { RoleContext } from '../lifecycle/role-lifecycle.ts';
import type { ChatConnections } from './chat-connections.ts';
import type { RoomWiring } from './room-wiring.ts';

export interface ReadWiring {
  readonly reads: ReadService;
  readonly receipts: ReceiptService;
  readonly stop: () => void;
}

export function startReadWiring({
  config,
  logger,
  sql,
  rooms: { hub, roomAccess },
}: Pick<RoleContext, 'config' | 'logger'> & Pick<ChatConnections, 'sql'> & { readonly rooms: RoomWiring }): ReadWiring {
  const receiptRepository = createReceiptRepository(sql);
  const signals = createReceiptSignals({
    hub,
    follow: roomAccess.follow,
    hiddenFrom: receiptRepository.hiddenFrom,
    logger,
    settings: config.room,
  });
  const repository = createReadRepository(sql, config.room.unreadMax);
  return {
    reads: createReadService({ repository, hub, follow: roomAccess.follow, receipts: signals }),
    receipts: createReceiptService({ repository: receiptRepository, followToRead: roomAccess.followToRead }),
    stop: signals.stop,
  };
}

/** Messages, their history pages, read markers, and the retries of moderation. */
import type { Contact } from '../../chat/membership/contact.ts';
import { createFlagPolicy, type FlagPolicy } from '../../chat/messages/flag-policy.ts';
import { createHistoryPages, type HistoryPages } from '../../chat/messages/history-pages.ts';
import { createMentionLookup, type MentionLookup } from '../../chat/messages/mentioned-members.ts';
import { createMessageRepository, type MessageRepository } from '../../chat/messages/message-repository.ts';
import { createMessageService, type MessageService } from '../../chat/messages/message-service.ts';
import { createPreviewQueue } from '../../chat/messages/preview-queue.ts';
import { createUncachedNewestPages } from '../../chat/messages/uncached-newest-page.ts';
import type { ReadService } from '../../chat/reads/read-service.ts';
import type { ReceiptService } from '../../chat/reads/receipt-service.ts';
import { recordAct } from '../../moderation/records/audit-log.ts';
import { createRefusalLog, type RefusalLog } from '../../moderation/records/refusal-log.ts';
import type { Judge } from '../../processing/client/processing-client.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { RoleContext } from '../lifecycle/role-lifecycle.ts';
import type { ChatConnections } from './chat-connections.ts';
import type { MessageParts } from './message-parts.ts';
import { startModerationRetries } from './moderation-wiring.ts';
import { startReadWiring } from './read-wiring.ts';
import type { RoomWiring } from './room-wiring.ts';

export interface MessageWiring {
  readonly messages: MessageService;
  readonly repository: MessageRepository;
  readonly pages: HistoryPages;
  readonly reads: ReadService;
  readonly receipts: ReceiptService;
  readonly refusals: RefusalLog;
  readonly flags: FlagPolicy;
  readonly findMentioned: MentionLookup;
  /** Stops the retries of moderation and the receipts. */
  readonly stop: () => Promise<void>;
}

export interface MessageWiringOptions extends Pick<RoleContext, 'config' | 'logger'>, Pick<ChatConnections, 'sql'> {
  readonly rooms: RoomWiring;
  readonly profiles: Profiles;
  readonly contact: Contact;
  readonly judge: Judge;
  readonly parts: MessageParts;
  /** A changed name shows in cached pages after this time. */
  readonly profilesTtlMs: number;
}

export function startMessageWiring(options: MessageWiringOptions): MessageWiring {
  const { config, logger, sql, rooms, profiles, contact, judge } = options;
  const { extras, writers, ownVotes } = options.parts;
  const { eventLog, hub, roomAccess } = rooms;
  const repository = createMessageRepository({ sql, profiles, extras });
  const refusals = createRefusalLog({ sql, profiles });
  const shared = {
    ...{ judge, eventLog, profiles, contact },
    flags: createFlagPolicy(),
    findMentioned: createMentionLookup({ profiles, contact, settings: config.room }),
    snapshot: extras.snapshot,
    purge: extras.purge,
    queuePreviews: createPreviewQueue(config.previews),
    recordRefusal: refusals.record,
  };
  const retries = startModerationRetries({ ...shared, sql, config, logger, hub });
  const pages = createHistoryPages({
    repository,
    readUncachedPage: createUncachedNewestPages({ sql, profiles, extras }),
    settings: { cacheBytes: config.message.historyCacheBytes, ttlMs: options.profilesTtlMs },
  });
  const messages = createMessageService({
    ...shared,
    ...{ repository, pages, writers, ownVotes },
    follow: roomAccess.follow,
    followToRead: roomAccess.followToRead,
    findFeed: hub.feed,
    loadedFeed: hub.loadedFeed,
    recordAct,
    unmoderated: retries.repository,
    settings: { ...config.message, admissionMs: config.message.admission, fallback: config.moderation.fallback },
  });
  const { flags, findMentioned } = shared;
  const reading = startReadWiring({ config, logger, sql, rooms });
  return {
    ...{
      messages,
      repository,
      pages,
      refusals,
      flags,
      findMentioned,
      reads: reading.reads,
      receipts: reading.receipts,
    },
    stop: async () => {
      reading.stop();
      await retries.stop();
    },
  };
}

/**
 * What features add to messages: a source of what a message shows, a writer where a send brings it, and how it is erased
 * and exported. It exists before rooms and messages do, because reading and writing messages needs it.
 */

import { createBookmarkData } from '../../chat/bookmarks/bookmark-service.ts';
import { createSavedDraftData } from '../../chat/drafts/saved-draft-service.ts';
import { createEmojiPersonalData } from '../../chat/emojis/emoji-personal-data.ts';
import type { PartsWriter } from '../../chat/events/append-with-parts.ts';
import type { EventLog } from '../../chat/events/event-log.ts';
import { createForwardSource } from '../../chat/forwards/forward-source.ts';
import { createForwardWriter } from '../../chat/forwards/forward-writer.ts';
import { createExtrasLoader, type ExtrasLoader, type ExtrasSource } from '../../chat/messages/extras-loader.ts';
import { createOwnVotes, type OwnVotes } from '../../chat/messages/own-votes.ts';
import { pinSource } from '../../chat/pins/pin-extras.ts';
import { createPinPersonalData } from '../../chat/pins/pin-personal-data.ts';
import { createFindOwnVotes, createPollWriter, pollSource } from '../../chat/polls/poll-parts.ts';
import { createPollPersonalData } from '../../chat/polls/poll-personal-data.ts';
import { createPreviewSource } from '../../chat/previews/preview-source.ts';
import { reactionSource } from '../../chat/reactions/reaction-extras.ts';
import { createReactionPersonalData } from '../../chat/reactions/reaction-personal-data.ts';
import { createScheduledData } from '../../chat/scheduled/scheduled-service.ts';
import { createStreamData } from '../../chat/streams/stream-personal-data.ts';
import { streamSource } from '../../chat/streams/stream-repository.ts';
import { createStreamWriter } from '../../chat/streams/stream-writer.ts';
import { createThreadPersonalData } from '../../chat/threads/thread-personal-data.ts';
import { threadSource } from '../../chat/threads/thread-source.ts';
import type { FileLinks } from '../../chat/uploads/links/file-links.ts';
import type { Config } from '../../config/load.ts';
import type { PersonalData } from '../../database/personal-data.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import { createUploadParts, type UploadPartsOptions } from './upload-parts.ts';

export interface MessageParts {
  readonly extras: ExtrasLoader;
  readonly writers: readonly PartsWriter[];
  /** Erasures append events, and the log comes after these parts. */
  readonly personalData: (eventLog: Pick<EventLog, 'transact'>) => readonly PersonalData[];
  readonly ownVotes: OwnVotes;
  /** Signs the URLs of files. */
  readonly links: FileLinks;
}

export interface MessagePartsOptions extends UploadPartsOptions {
  readonly profiles: Profiles;
  readonly config: Config;
}

export function createMessageParts(options: MessagePartsOptions): MessageParts {
  const { config, db, profiles } = options;
  const uploads = createUploadParts(options);
  const pictureUrl = (id: string) => uploads.links.urls({ id, hasThumbnail: false }).url;
  const sources: readonly ExtrasSource[] = [
    ...[threadSource, reactionSource, pinSource, pollSource],
    ...[createForwardSource(profiles), uploads.source, streamSource, createPreviewSource(pictureUrl)],
  ];
  const writers: readonly PartsWriter[] = [
    ...[uploads.writer, createForwardWriter(uploads.copyAttachments)],
    createPollWriter(config.polls),
    createStreamWriter({ perUser: config.message.streamsPerUser }),
  ];
  const personalData: MessageParts['personalData'] = (eventLog) => [
    createThreadPersonalData(db),
    createReactionPersonalData({ db, eventLog }),
    createPinPersonalData(db),
    createEmojiPersonalData(db),
    createSavedDraftData(db),
    createBookmarkData(db),
    createScheduledData(db),
    createPollPersonalData(db, eventLog),
    uploads.personalData,
    createStreamData(db),
  ];
  const ownVotes = createOwnVotes(createFindOwnVotes(db));
  return { extras: createExtrasLoader(db, sources), writers, personalData, ownVotes, links: uploads.links };
}

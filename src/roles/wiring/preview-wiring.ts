/** Previews of links: their route, and the job that shows them. */
import { createAttachmentPictures } from '../../chat/previews/attachment-pictures.ts';
import { previewRoutes } from '../../chat/previews/preview-routes.ts';
import { createPreviewService } from '../../chat/previews/preview-service.ts';
import type { UploadService } from '../../chat/uploads/upload-service.ts';
import { recordAct } from '../../moderation/records/audit-log.ts';
import type { ConversationOptions, Feature } from './conversation-options.ts';

export function createPreviews(options: ConversationOptions, uploads: UploadService): Feature {
  const { config, connections, rooms, messages, callers, judge, parts } = options;
  const previews = createPreviewService({
    ...{ db: connections.db, eventLog: rooms.eventLog, judge: judge.message, reading: messages.messages, recordAct },
    snapshot: parts.extras.snapshot,
    pictures: createAttachmentPictures({ db: connections.db, uploads }),
    settings: { perMessage: config.previews.perMessage, ownOrigin: new URL(options.publicUrl).origin },
  });
  return {
    routes: async (v1) => {
      await v1.register(previewRoutes, { previews, authenticator: callers.identities.authenticator });
    },
    tasks: { show_previews: previews.show },
  };
}

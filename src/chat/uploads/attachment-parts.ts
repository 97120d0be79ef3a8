/** Attachments of messages: what a send names, what a message shows, and what is deleted with it. */
import { invalid } from '../../errors.ts';
import type { PartsWriter } from '../events/append-with-parts.ts';
import type { ExtrasSource, FoundExtras } from '../messages/extras-loader.ts';
import type { Attachment } from '../state/message-extras.ts';
import { messageMarks } from '../state/message-marks.ts';
import { type AttachmentRow, claimUploads, findOfMessages } from './attachment-repository.ts';
import { deleteOfMessages } from './file-deletion-repository.ts';
import type { FileLinks } from './links/file-links.ts';

/** A file as clients get it, with links that are valid from now on. */
export function toAttachment(row: AttachmentRow, links: FileLinks): Attachment {
  const { id, name, type, size, width, height, blurhash, thumbnailType } = row;
  const { url, thumbnailUrl } = links.urls({ id, hasThumbnail: thumbnailType !== null });
  return { id, name, type, size, width, height, blurhash, thumbnailUrl, url };
}

/** @param timeout of uploads, milliseconds */
export function createAttachmentSource(links: FileLinks, { timeout }: { readonly timeout: number }): ExtrasSource {
  return {
    mark: 'attachments',
    load: async (db, messageIds): Promise<FoundExtras> => {
      const found = new Map<string, { attachments: Attachment[] }>();
      for (const row of await findOfMessages(db, messageIds)) {
        const { attachments } = found.get(row.messageId) ?? { attachments: [] };
        attachments.push(toAttachment(row, links));
        found.set(row.messageId, { attachments });
      }
      return found;
    },
    atCreation: ({ attachments }) => (attachments ? { attachments } : {}),
    purge: (tx, messageIds) => deleteOfMessages(tx, messageIds, timeout),
  };
}

export function createAttachmentWriter({ perMessageMax }: { readonly perMessageMax: number }): PartsWriter {
  return {
    write: async (tx, { parts, roomId, messageId, authorId }) => {
      const ids = parts?.attachmentIds ?? [];
      if (ids.length === 0) return { marks: 0 };
      if (ids.length > perMessageMax) throw invalid('/attachmentIds', `at most ${perMessageMax} files`);
      const unknown = await claimUploads(tx, ids, { roomId, messageId, ownerId: authorId });
      if (unknown.length > 0) throw invalid('/attachmentIds', `no unsent upload of yours: ${unknown.join(', ')}`);
      return { marks: messageMarks.attachments };
    },
  };
}

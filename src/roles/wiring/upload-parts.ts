/** What attachments add to messages. */
import type { PartsWriter } from '../../chat/events/append-with-parts.ts';
import type { CopyAttachments } from '../../chat/forwards/forward-writer.ts';
import type { ExtrasSource } from '../../chat/messages/extras-loader.ts';
import { createAttachmentSource, createAttachmentWriter } from '../../chat/uploads/attachment-parts.ts';
import { createAttachmentPersonalData } from '../../chat/uploads/attachment-personal-data.ts';
import { copyAttachments } from '../../chat/uploads/attachment-repository.ts';
import { createFileLinks, type FileLinks } from '../../chat/uploads/links/file-links.ts';
import type { Config } from '../../config/load.ts';
import type { Database } from '../../database/connect.ts';
import type { PersonalData } from '../../database/personal-data.ts';

export interface UploadPartsOptions {
  readonly config: Pick<Config, 'uploads' | 'publicUrl'>;
  readonly db: Database;
  /** Signs the URLs of files; the same on all instances. */
  readonly linkKey: Buffer;
}

export interface UploadParts {
  readonly links: FileLinks;
  readonly source: ExtrasSource;
  readonly writer: PartsWriter;
  readonly personalData: PersonalData;
  readonly copyAttachments: CopyAttachments;
}

export function createUploadParts({ config: { uploads, publicUrl }, db, linkKey }: UploadPartsOptions): UploadParts {
  const links = createFileLinks({
    key: linkKey,
    // Without a public URL nobody knows the address at which a client reaches this server, except the client.
    baseUrl: (publicUrl ?? '').replace(/\/+$/, ''),
    lifetimeMs: uploads.linkLifetime,
  });
  return {
    links,
    source: createAttachmentSource(links, uploads),
    writer: createAttachmentWriter(uploads),
    personalData: createAttachmentPersonalData(db, links, uploads),
    copyAttachments: (tx, { fromMessageId, toMessageId: messageId, toRoomId: roomId, userId: ownerId }) =>
      copyAttachments(tx, fromMessageId, { roomId, messageId, ownerId }, uploads),
  };
}

/** What previews add to messages. */
import type { Database, Transaction } from '../../database/connect.ts';
import type { ExtrasSource, FoundExtras } from '../messages/extras-loader.ts';
import type { Preview } from '../state/message-extras.ts';
import { deletePreviews, findPreviews, type StoredPreview } from './preview-repository.ts';

/** @param pictureUrl a link that is good for some time */
export function createPreviewSource(pictureUrl: (pictureId: string) => string): ExtrasSource {
  async function load(
    db: Database | Transaction,
    messageIds: readonly string[],
    show: (preview: StoredPreview) => Preview,
  ): Promise<FoundExtras> {
    const rows = await findPreviews(db, messageIds);
    return new Map(rows.map(({ messageId, previews }) => [messageId, { previews: previews.map(show) }]));
  }

  const withUrl = (pictureId: string | null) => (pictureId === null ? null : pictureUrl(pictureId));

  return {
    mark: 'previews',
    load: (db, messageIds) => load(db, messageIds, (preview) => toShown(preview, withUrl(preview.pictureId))),
    // Links expire, so the log keeps the ids of pictures in their place.
    loadForLog: (db, messageIds) => load(db, messageIds, (preview) => toShown(preview, preview.pictureId)),
    fromLog: (shown) =>
      shown.previews
        ? { ...shown, previews: shown.previews.map((each) => ({ ...each, imageUrl: withUrl(each.imageUrl) })) }
        : shown,
    purge: deletePreviews,
  };
}

function toShown({ url, title, description, siteName }: StoredPreview, imageUrl: string | null): Preview {
  return { url, title, description, siteName, imageUrl };
}

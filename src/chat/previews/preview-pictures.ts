/** Pictures of previews: attachments of the message that list them nowhere else. */
import type { Transaction } from '../../database/connect.ts';
import type { MessagePlace } from './preview-repository.ts';

export interface PreviewPictures {
  /**
   * Stores a picture as an attachment that no message shows yet; one that is never shown is swept like an upload.
   * @returns its id; null when the bytes are no picture, or there is no room for it
   */
  readonly store: (authorId: string, bytes: Buffer) => Promise<string | null>;
  /** Makes it part of the message. */
  readonly show: (
    tx: Transaction,
    pictureId: string,
    place: MessagePlace & { readonly authorId: string },
  ) => Promise<void>;
  readonly remove: (tx: Transaction, pictureIds: readonly string[]) => Promise<void>;
}

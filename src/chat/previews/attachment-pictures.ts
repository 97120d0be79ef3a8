/** Keeps the pictures of previews as attachments of the message's author, through the same inspection as uploads. */
import { Readable } from 'node:stream';
import type { Database, Transaction } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import { findUploaded } from '../uploads/attachment-repository.ts';
import { deleteUpload } from '../uploads/file-deletion-repository.ts';
import type { UploadService } from '../uploads/upload-service.ts';
import type { PreviewPictures } from './preview-pictures.ts';
import { showPicture } from './preview-repository.ts';

export interface AttachmentPicturesOptions {
  readonly db: Database;
  readonly uploads: Pick<UploadService, 'enter' | 'receive'>;
}

/** A stranger sees it as the name of a file that they save. */
const fileName = 'preview';

export function createAttachmentPictures({ db, uploads }: AttachmentPicturesOptions): PreviewPictures {
  async function store(authorId: string, bytes: Buffer): Promise<string | null> {
    const leave = await uploads.enter();
    try {
      const id = await uploads.receive(authorId, { name: fileName, body: Readable.from([bytes]) }, bytes.length);
      // Only what was decoded as a picture has a size in pixels.
      if (typeof (await findUploaded(db, id))?.width === 'number') return id;
      await deleteUpload(db, id);
      return null;
    } catch (error) {
      // A bad picture, or an author without room for it: the preview does without. Other failures repeat the job.
      if (error instanceof Failure && error.code !== 'unavailable') return null;
      throw error;
    } finally {
      leave();
    }
  }

  return {
    store,
    show: showPicture,
    remove: async (tx: Transaction, pictureIds) => {
      for (const id of pictureIds) await deleteUpload(tx, id);
    },
  };
}

/** Queues the fetch of a message's previews wherever its rendered text changes. New messages: append-statement.ts. */
import type { Transaction } from '../../database/connect.ts';
import { addPreviewFetch } from '../events/event-repository.ts';
import { hasWebLinks } from '../state/message-links.ts';
import { hasMark } from '../state/message-marks.ts';

/** @param message as it is from now on; a message that has lost its links loses its previews too */
export type QueuePreviews = (
  tx: Transaction,
  message: { readonly roomId: string; readonly messageId: string; readonly html: string; readonly marks: number },
) => Promise<void>;

export function createPreviewQueue({ enabled }: { readonly enabled: boolean }): QueuePreviews {
  return async (tx, message) => {
    if (enabled && (hasWebLinks(message.html) || hasMark(message.marks, 'previews')))
      await addPreviewFetch(tx, message);
  };
}

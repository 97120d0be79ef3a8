/** Opens the stream of a message in the transaction that stores it. */
import { Failure } from '../../errors.ts';
import type { PartsWriter } from '../events/append-with-parts.ts';
import { messageMarks } from '../state/message-marks.ts';
import { countOpen, openStream } from './stream-repository.ts';

/** @param settings.perUser streams of one author that are open at once */
export function createStreamWriter(settings: { readonly perUser: number }): PartsWriter {
  return {
    write: async (tx, { messageId, roomId, authorId, parts }) => {
      if (!parts?.stream) return { marks: 0 };
      if ((await countOpen(tx, authorId)) >= settings.perUser)
        throw new Failure('conflict', `at most ${settings.perUser} messages are written at once; finish one first`);
      await openStream(tx, { messageId, roomId, authorId });
      return { marks: messageMarks.stream };
    },
  };
}

/** The thread that a message starts, as the message shows it. */
import { readThreadSummaries } from '../events/thread-summary-repository.ts';
import type { ExtrasSource } from '../messages/extras-loader.ts';

/** A message that is just created starts no thread, so events show the thread only in what comes later. */
export const threadSource: ExtrasSource = {
  mark: 'thread',
  load: async (db, messageIds) => {
    const summaries = await readThreadSummaries(db, messageIds);
    return new Map([...summaries].map(([id, thread]) => [id, { thread }]));
  },
};

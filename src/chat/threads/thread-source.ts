/** The thread that a message starts, as the message shows it. */
import { readThreadSummaries } from '../events/thread-summary-repository.ts';
import type { ExtrasSource } from '../messages/extras-loader.ts';

/**
 * A message that is just created starts no thread, so events show the thread only in what comes later. A thread of which all
 * messages are deleted is shown no more.
 */
export const threadSource: ExtrasSource = {
  mark: 'thread',
  load: async (db, messageIds) => {
    const summaries = await readThreadSummaries(db, messageIds);
    const begun = [...summaries].filter(([, { replyCount }]) => replyCount > 0);
    return new Map(begun.map(([id, thread]) => [id, { thread }]));
  },
};

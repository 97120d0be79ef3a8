/** What was received of messages that are not finished. The messages themselves: personal-data/. */
import type { Database } from '../../database/connect.ts';
import { onePage, type PersonalData } from '../../database/personal-data.ts';
import { deleteStreamsOf, exportStreams } from './stream-repository.ts';

export function createStreamData(db: Database): PersonalData {
  return {
    name: 'unfinished messages',
    cut: (tx, { userId }) => deleteStreamsOf(tx, userId),
    exports: { unfinishedMessages: onePage((userId) => exportStreams(db, userId)) },
  };
}

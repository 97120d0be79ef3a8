/** What pins add to messages. */
import type { ExtrasSource } from '../messages/extras-loader.ts';
import { deletePins, findPinned } from './pin-repository.ts';

export const pinSource: ExtrasSource = {
  mark: 'pinned',
  load: async (db, messageIds) => new Map((await findPinned(db, messageIds)).map((id) => [id, { pinned: true }])),
  purge: deletePins,
};

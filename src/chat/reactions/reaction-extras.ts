/** What reactions add to messages. */
import type { ExtrasSource } from '../messages/extras-loader.ts';
import { deleteOfMessages, loadReactions } from './reaction-repository.ts';

export const reactionSource: ExtrasSource = {
  mark: 'reactions',
  load: async (db, messageIds) => {
    const found = await loadReactions(db, messageIds);
    return new Map([...found].map(([id, reactions]) => [id, { reactions }]));
  },
  purge: deleteOfMessages,
};

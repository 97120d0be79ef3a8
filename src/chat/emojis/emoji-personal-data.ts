/** Which custom emoji a user has added. They belong to the deployment: an erasure keeps them, with the id of the deleted user. */
import type { Database } from '../../database/connect.ts';
import { onePage, type PersonalData } from '../../database/personal-data.ts';
import { readOfUser } from './emoji-repository.ts';

export function createEmojiPersonalData(db: Database): PersonalData {
  return {
    name: 'custom emoji',
    exports: {
      emojis: onePage(async (userId) =>
        (await readOfUser(db, userId)).map(({ id, name, type, createdAt }) => ({ id, name, type, createdAt })),
      ),
    },
  };
}

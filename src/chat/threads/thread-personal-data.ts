/** The threads that a user follows: exported, and erased. */
import type { Database } from '../../database/connect.ts';
import { onePage, type PersonalData } from '../../database/personal-data.ts';
import { deleteFollows, readFollows } from './thread-personal-data-repository.ts';

/**
 * Must be erased after the memberships: a message that mentions the user, or answers one of theirs, may follow a thread for them
 * as long as they are a member of its room.
 */
export function createThreadPersonalData(db: Database): PersonalData {
  return {
    name: 'followed threads',
    sweep: async (userId) => {
      while ((await deleteFollows(db, userId)) > 0);
    },
    exports: { threads: onePage((userId) => readFollows(db, userId)) },
  };
}

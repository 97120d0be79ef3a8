/** What a user has pinned. Pins belong to their rooms: an erasure keeps them, with the id of the deleted user. */
import type { Database } from '../../database/connect.ts';
import type { PersonalData } from '../../database/personal-data.ts';
import { readOfUser } from './pin-repository.ts';

/** Rows of the archive read at once. */
const pageSize = 1000;
const beforeAll = '00000000-0000-0000-0000-000000000000';

export function createPinPersonalData(db: Database): PersonalData {
  async function* exportPins(userId: string): AsyncIterable<readonly object[]> {
    for (let after = beforeAll; ; ) {
      const rows = await readOfUser(db, userId, after, pageSize);
      if (rows.length > 0) yield rows;
      if (rows.length < pageSize) return;
      after = rows.at(-1)!.messageId;
    }
  }

  return { name: 'pins', exports: { pins: exportPins } };
}

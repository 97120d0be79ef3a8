/** Blocking users. To a blocked user, the blocker seems not to exist. */
import { and, desc, eq } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';
import { blocks } from '../../database/tables/user-tables.ts';
import { Failure, invalid } from '../../errors.ts';
import type { Profiles, PublicProfile } from '../profile/profiles.ts';
import type { PersonChanges } from '../status/person-changes.ts';

export interface BlockService {
  /** A repeat changes nothing. @throws Failure `not_found`, `invalid` for oneself, `conflict` if there are `blocksMax` */
  readonly put: (userId: string, blockedId: string) => Promise<void>;
  readonly remove: (userId: string, blockedId: string) => Promise<void>;
  readonly list: (userId: string) => Promise<PublicProfile[]>;
}

export function createBlockService({
  db,
  profiles,
  changes,
  settings,
}: {
  db: Database;
  profiles: Profiles;
  changes: Pick<PersonChanges, 'announce'>;
  settings: { blocksMax: number };
}): BlockService {
  return {
    put: async (userId, blockedId) => {
      if (blockedId === userId) throw invalid('/userId', 'you cannot block yourself');
      if (!(await profiles.byIds([blockedId])).has(blockedId)) throw new Failure('not_found', 'no such user');
      if ((await db.$count(blocks, eq(blocks.userId, userId))) >= settings.blocksMax)
        throw new Failure('conflict', `at most ${settings.blocksMax} users can be blocked`);
      await db.insert(blocks).values({ userId, blockedId }).onConflictDoNothing();
      changes.announce(userId);
    },
    remove: async (userId, blockedId) => {
      await db.delete(blocks).where(and(eq(blocks.userId, userId), eq(blocks.blockedId, blockedId)));
      changes.announce(userId);
    },
    list: async (userId) => {
      const rows = await db
        .select({ blockedId: blocks.blockedId })
        .from(blocks)
        .where(eq(blocks.userId, userId))
        .orderBy(desc(blocks.createdAt))
        .limit(settings.blocksMax);
      const people = await profiles.byIds(rows.map(({ blockedId }) => blockedId));
      return rows.flatMap(({ blockedId }) => people.get(blockedId) ?? []);
    },
  };
}

/** Blocking users. To a blocked user, the blocker seems not to exist. */
import { and, desc, eq } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
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

/** What others keep in step with a user's blocks. */
export interface BlockListener {
  /** In the transaction that changes the blocks. */
  readonly onChange: (tx: Transaction, userId: string) => Promise<void>;
  /** After the commit. */
  readonly onChanged: (userId: string, blockedId: string, blocked: boolean) => void;
}

export function createBlockService({
  db,
  profiles,
  changes,
  listener,
  settings,
}: {
  db: Database;
  profiles: Profiles;
  changes: Pick<PersonChanges, 'announce'>;
  listener: BlockListener;
  settings: { blocksMax: number };
}): BlockService {
  /** @param store returns the rows that it has changed */
  async function change(
    { userId, blockedId, blocked }: { userId: string; blockedId: string; blocked: boolean },
    store: (tx: Transaction) => PromiseLike<readonly unknown[]>,
  ): Promise<void> {
    const isChanged = await db.transaction(async (tx) => {
      const isNew = (await store(tx)).length > 0;
      if (isNew) await listener.onChange(tx, userId);
      return isNew;
    });
    changes.announce(userId);
    if (isChanged) listener.onChanged(userId, blockedId, blocked);
  }

  return {
    put: async (userId, blockedId) => {
      if (blockedId === userId) throw invalid('/userId', 'you cannot block yourself');
      if (!(await profiles.byIds([blockedId])).has(blockedId)) throw new Failure('not_found', 'no such user');
      if ((await db.$count(blocks, eq(blocks.userId, userId))) >= settings.blocksMax)
        throw new Failure('conflict', `at most ${settings.blocksMax} users can be blocked`);
      await change({ userId, blockedId, blocked: true }, (tx) =>
        tx.insert(blocks).values({ userId, blockedId }).onConflictDoNothing().returning(),
      );
    },
    remove: async (userId, blockedId) => {
      await change({ userId, blockedId, blocked: false }, (tx) =>
        tx
          .delete(blocks)
          .where(and(eq(blocks.userId, userId), eq(blocks.blockedId, blockedId)))
          .returning(),
      );
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

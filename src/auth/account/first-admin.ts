/**
 * How a deployment gets its first admin through the page.
 *
 * A setup link holds a one-time token that makes one account an admin, as long as there is no admin. The start prints one
 * where the database is embedded; `admin setup-link` prints one for any database. While nobody but this machine can reach
 * an embedded Parley, the first person to sign up becomes its admin without a link as well.
 */
import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { oneTimeTokens as tokenTable } from '../../database/tables/credential-tables.ts';
import { users } from '../../database/tables/user-tables.ts';
import { invalid } from '../../errors.ts';
import type { UserRepository, UserRow } from '../../user/account/user-repository.ts';
import type { OneTimeTokens } from '../credentials/one-time-tokens.ts';

export interface FirstAdminSettings {
  /** A setup link is good for this long. */
  readonly linkLifetimeMs: number;
  /** Whether the first account becomes an admin when it is made by a caller on this machine. */
  readonly firstLocalUser: boolean;
}

export interface FirstAdmin {
  /** A token for a new setup link; earlier ones end. Undefined while there is an admin. */
  readonly issueToken: () => Promise<string | undefined>;
  /**
   * Makes an account the first admin.
   * @returns the account as it is now
   * @throws Failure `invalid` for a token that is not good, or no longer because there is an admin
   */
  readonly redeem: (tx: Transaction, token: string, userId: string) => Promise<UserRow>;
  /** Makes a new account an admin if it is the first one and was made on this machine. @returns the account as it is now */
  readonly welcomeFirst: (tx: Transaction, user: UserRow, isLocal: boolean) => Promise<UserRow>;
}

const purpose = 'setup';

export function createFirstAdmin({
  db,
  users: repository,
  oneTimeTokens,
  settings,
}: {
  db: Database;
  users: UserRepository;
  oneTimeTokens: OneTimeTokens;
  settings: FirstAdminSettings;
}): FirstAdmin {
  /** Of two who would become the first admin at the same moment the second one sees the first. */
  async function hasAdmin(tx: Transaction): Promise<boolean> {
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended('first account', 0))`);
    const [admin] = await tx
      .select({ id: users.id })
      .from(users)
      .where(and(eq(users.role, 'admin'), isNull(users.erasedAt)))
      .limit(1);
    return admin !== undefined;
  }

  const endLinks = (tx: Transaction) => tx.delete(tokenTable).where(eq(tokenTable.purpose, purpose));

  return {
    issueToken: () =>
      db.transaction(async (tx) => {
        if (await hasAdmin(tx)) return undefined;
        await endLinks(tx);
        return oneTimeTokens.issue(tx, purpose, null, {}, settings.linkLifetimeMs);
      }),
    redeem: async (tx, token, userId) => {
      const isOver = await hasAdmin(tx);
      if (!(await oneTimeTokens.redeemAny(tx, purpose, token)) || isOver)
        throw invalid('/setupToken', 'is no longer good');
      await endLinks(tx);
      return (await repository.update(tx, userId, { role: 'admin' }))!;
    },
    welcomeFirst: async (tx, user, isLocal) => {
      if (!settings.firstLocalUser || !isLocal || !(await repository.isFirst(tx, user.id))) return user;
      await endLinks(tx);
      return (await repository.update(tx, user.id, { role: 'admin' }))!;
    },
  };
}

/** The page that makes the first admin. */
export function setupLink(publicUrl: string, token: string): string {
  return `${publicUrl.replace(/\/+$/, '')}/#/setup?token=${token}`;
}

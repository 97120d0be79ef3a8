/**
 * Makes the first admin of a deployment, on the page.
 *
 * A setup link contains a one-time token that makes an account an admin, as long as there is none. With an embedded
 * database the start prints a link; `admin setup-link` prints one for any database. If only this machine can reach an
 * embedded Parley, the first user who signs up becomes its admin without a link.
 */
import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { oneTimeTokens as tokenTable } from '../../database/tables/credential-tables.ts';
import { users } from '../../database/tables/user-tables.ts';
import { invalid } from '../../errors.ts';
import type { UserRepository, UserRow } from '../../user/account/user-repository.ts';
import type { OneTimeTokens } from '../credentials/one-time-tokens.ts';

export interface FirstAdminSettings {
  /** How long a setup link is valid. */
  readonly linkLifetimeMs: number;
  /** Whether the first account becomes an admin if it is created from this machine. */
  readonly firstLocalUser: boolean;
}

export interface FirstAdmin {
  /** Creates a token for a setup link and deletes earlier ones. @returns undefined if there is an admin */
  readonly issueToken: () => Promise<string | undefined>;
  /**
   * Makes an account the first admin.
   * @returns the account with its new role
   * @throws Failure `invalid` for an unknown token, or if there is an admin
   */
  readonly redeem: (tx: Transaction, token: string, userId: string) => Promise<UserRow>;
  /** Makes a new account an admin if it is the first one and was created from this machine. @returns the account */
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
  /** Locks first, so of two concurrent requests the second one sees the first one's admin. */
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
        throw invalid('/setupToken', 'is no longer valid');
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

/** The address of the page that makes the first admin. */
export function setupLink(publicUrl: string, token: string): string {
  return `${publicUrl.replace(/\/+$/, '')}/#/setup?token=${token}`;
}

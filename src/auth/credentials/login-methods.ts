/** What opens an account by itself: the last such thing is not taken away, lest its owner stands before a shut door. */
import { eq } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { mfaFactors } from '../../database/tables/credential-tables.ts';
import { identities } from '../../database/tables/identity-tables.ts';
import { Failure } from '../../errors.ts';
import type { UserRow } from '../../user/account/user-repository.ts';

export interface LoginMethods {
  /**
   * Asked by whoever holds the account for update and is about to take the identity or the factor away.
   * @throws Failure `conflict` when nothing else would open the account
   */
  readonly requireAnother: (
    tx: Transaction,
    user: UserRow,
    without: { readonly identityId: string } | { readonly factorId: string },
  ) => Promise<void>;
}

export function createLoginMethods({
  providerNames,
  issuers,
}: {
  /** Login providers of the configuration: one that the operator took away lets nobody in. */
  providerNames: ReadonlySet<string>;
  /** Host applications of the configuration. */
  issuers: ReadonlySet<string>;
}): LoginMethods {
  /** Ids of identities and factors that open the account, and the password. */
  async function waysOf(tx: Transaction, { id, passwordHash }: UserRow): Promise<string[]> {
    const known = await tx
      .select({ id: identities.id, provider: identities.provider, issuer: identities.issuer })
      .from(identities)
      .where(eq(identities.userId, id));
    const factors = await tx.select().from(mfaFactors).where(eq(mfaFactors.userId, id));
    const usable = known.filter(({ provider, issuer }) =>
      provider === null ? issuers.has(issuer) : providerNames.has(provider),
    );
    return [
      ...(passwordHash === null ? [] : ['password']),
      ...[...usable, ...factors.filter(isLoginMethod)].map((way) => way.id),
    ];
  }

  return {
    requireAnother: async (tx, user, without) => {
      const ways = await waysOf(tx, user);
      const target = 'identityId' in without ? without.identityId : without.factorId;
      // What opens nothing anyway may always go.
      if (ways.includes(target) && ways.length === 1)
        throw new Failure('conflict', 'this is the only way to log in; set a password or add another first');
    },
  };
}

/** Whether a second factor is a login by itself, too. */
export function isLoginMethod({ kind, data }: Pick<typeof mfaFactors.$inferSelect, 'kind' | 'data'>): boolean {
  return kind === 'passkey' && data.verifiesUser === true;
}

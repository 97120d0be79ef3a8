/** Prevents removing an account's last login method. */
import { eq } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { mfaFactors } from '../../database/tables/credential-tables.ts';
import { identities } from '../../database/tables/identity-tables.ts';
import { Failure } from '../../errors.ts';
import type { LockedAccount } from '../../user/account/account-lock.ts';
import type { UserRow } from '../../user/account/user-repository.ts';

export interface LoginMethods {
  /**
   * Called before the identity or the factor is deleted. The lock keeps two removals from passing together.
   * @throws Failure `conflict` if it is the only login method
   */
  readonly requireAnother: (
    tx: Transaction,
    user: LockedAccount,
    without: { readonly identityId: string } | { readonly factorId: string },
  ) => Promise<void>;
}

export function createLoginMethods({
  providerNames,
  issuers,
}: {
  /** The configured login providers: an identity of a removed one is no login method. */
  providerNames: ReadonlySet<string>;
  /** The configured host applications. */
  issuers: ReadonlySet<string>;
}): LoginMethods {
  /** @returns the ids of identities and factors that are login methods, and `password` */
  async function methodsOf(tx: Transaction, { id, passwordHash }: UserRow): Promise<string[]> {
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
      ...[...usable, ...factors.filter(isLoginMethod)].map((method) => method.id),
    ];
  }

  return {
    requireAnother: async (tx, user, without) => {
      const methods = await methodsOf(tx, user);
      const target = 'identityId' in without ? without.identityId : without.factorId;
      // Anything that is no login method may be removed.
      if (methods.includes(target) && methods.length === 1)
        throw new Failure('conflict', 'this is the only login method; set a password or add another one first');
    },
  };
}

/** Whether a second factor is a login method by itself: a passkey that verifies its owner. */
export function isLoginMethod({ kind, data }: Pick<typeof mfaFactors.$inferSelect, 'kind' | 'data'>): boolean {
  return kind === 'passkey' && data.verifiesUser === true;
}

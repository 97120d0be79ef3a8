/** The personal data of logins: exported without secrets, and erased completely. */
import { eq, inArray } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { onePage, type PersonalData } from '../../database/personal-data.ts';
import { mfaFactors, oneTimeTokens, trustedDevices } from '../../database/tables/credential-tables.ts';
import { identities } from '../../database/tables/identity-tables.ts';
import { apiKeys } from '../../database/tables/request-tables.ts';
import { refreshTokens, revocations, sessions } from '../../database/tables/session-tables.ts';
import { rememberErased } from './erased-identities.ts';

async function deleteLogins(tx: Transaction, userId: string): Promise<void> {
  const own = await tx.select({ id: sessions.id }).from(sessions).where(eq(sessions.userId, userId));
  const ids = own.map(({ id }) => id);
  await tx.delete(refreshTokens).where(inArray(refreshTokens.sessionId, ids));
  await tx.delete(sessions).where(eq(sessions.userId, userId));
  // Again: a refresh token that was being rotated may have left its successor.
  await tx.delete(refreshTokens).where(inArray(refreshTokens.sessionId, ids));
  await tx.delete(oneTimeTokens).where(eq(oneTimeTokens.userId, userId));
  await tx.delete(mfaFactors).where(eq(mfaFactors.userId, userId));
  await tx.delete(trustedDevices).where(eq(trustedDevices.userId, userId));
}

export function createLoginPersonalData(db: Database): PersonalData {
  return {
    name: 'logins',
    cut: async (tx, { userId, identities: known }) => {
      // This row ends every token of the account, on every instance.
      await tx.insert(revocations).values({ kind: 'user', userId });
      await rememberErased(tx, known);
      await tx.delete(identities).where(eq(identities.userId, userId));
      await deleteLogins(tx, userId);
    },
    // Deletes what a concurrent statement, or an instance of an older version, may have written since `cut`.
    sweep: (userId) =>
      db.transaction(async (tx) => {
        const left = await tx.delete(identities).where(eq(identities.userId, userId)).returning();
        await rememberErased(tx, left);
        await deleteLogins(tx, userId);
      }),
    exports: {
      identities: onePage((userId) =>
        db
          .select({
            issuer: identities.issuer,
            subject: identities.subject,
            provider: identities.provider,
            profile: identities.profile,
            createdAt: identities.createdAt,
          })
          .from(identities)
          .where(eq(identities.userId, userId)),
      ),
      sessions: onePage((userId) =>
        db
          .select({
            id: sessions.id,
            userAgent: sessions.userAgent,
            address: sessions.address,
            createdAt: sessions.createdAt,
            lastUsedAt: sessions.lastUsedAt,
            expiresAt: sessions.expiresAt,
            revokedAt: sessions.revokedAt,
          })
          .from(sessions)
          .where(eq(sessions.userId, userId)),
      ),
      'second-factors': onePage((userId) =>
        db
          .select({
            kind: mfaFactors.kind,
            name: mfaFactors.name,
            confirmedAt: mfaFactors.confirmedAt,
            lastUsedAt: mfaFactors.lastUsedAt,
            createdAt: mfaFactors.createdAt,
          })
          .from(mfaFactors)
          .where(eq(mfaFactors.userId, userId)),
      ),
      'api-keys': onePage((userId) =>
        db
          .select({ id: apiKeys.id, name: apiKeys.name, scopes: apiKeys.scopes, createdAt: apiKeys.createdAt })
          .from(apiKeys)
          .where(eq(apiKeys.createdBy, userId)),
      ),
    },
  };
}

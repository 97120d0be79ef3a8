/**
 * Identities of erased people, kept as hashes. A token that was issued before the erasure must not create the account again.
 */
import { createHash } from 'node:crypto';
import { and, eq, gte, sql } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { erasedIdentities } from '../../database/tables/identity-tables.ts';
import { Failure } from '../../errors.ts';

/** A person as an issuer names them. */
export interface Identity {
  readonly issuer: string;
  readonly subject: string;
}

function hashOf({ issuer, subject }: Identity): Buffer {
  return createHash('sha256').update(`${issuer}\0${subject}`).digest();
}

/** Remembers that the identities were erased now; an identity that was erased before gets the new time. */
export async function rememberErased(tx: Transaction, identities: readonly Identity[]): Promise<void> {
  if (identities.length === 0) return;
  await tx
    .insert(erasedIdentities)
    .values(identities.map((identity) => ({ hash: hashOf(identity) })))
    .onConflictDoUpdate({ target: erasedIdentities.hash, set: { erasedAt: sql`clock_timestamp()` } });
}

/**
 * @param issuedAt when the issuer named the person, milliseconds since the epoch
 * @throws Failure `unauthenticated` when the identity was erased at that time or later
 */
export async function requireNotErased(tx: Transaction, identity: Identity, issuedAt: number): Promise<void> {
  const [erased] = await tx
    .select({ hash: erasedIdentities.hash })
    .from(erasedIdentities)
    .where(and(eq(erasedIdentities.hash, hashOf(identity)), gte(erasedIdentities.erasedAt, new Date(issuedAt))));
  if (erased) throw new Failure('unauthenticated', 'this account was erased');
}

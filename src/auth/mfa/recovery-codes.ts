/** Recovery codes, which stand in for a lost second factor. Each works once; all are replaced together. */
import { randomBytes } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { mfaFactors } from '../../database/tables/credential-tables.ts';
import { hashSecret } from '../credentials/random-secrets.ts';
import { toBase32 } from './totp.ts';

const codesCount = 10;

/** Replaces the account's recovery codes. @returns the new ones in groups of four; only their hashes are stored */
export async function replaceRecoveryCodes(tx: Transaction, userId: string): Promise<string[]> {
  await tx.delete(mfaFactors).where(recoveryCodesOf(userId));
  // 140 random bits each, so a plain hash protects them.
  const codes = Array.from({ length: codesCount }, () => toBase32(randomBytes(18)).slice(0, 28));
  const rows = codes.map((code) => ({
    id: factorIdOf(code),
    userId,
    kind: 'recovery' as const,
    data: {},
    confirmedAt: new Date(),
  }));
  await tx.insert(mfaFactors).values(rows);
  return codes.map((code) => code.match(/.{4}/g)!.join('-'));
}

export async function hasRecoveryCodes(tx: Transaction, userId: string): Promise<boolean> {
  const [code] = await tx.select({ id: mfaFactors.id }).from(mfaFactors).where(recoveryCodesOf(userId)).limit(1);
  return code !== undefined;
}

/** Uses up a code. @param code without dashes, upper case. @returns false for a wrong or used one */
export async function useRecoveryCode(db: Database, userId: string, code: string): Promise<boolean> {
  const used = await db
    .delete(mfaFactors)
    .where(and(eq(mfaFactors.id, factorIdOf(code)), recoveryCodesOf(userId)))
    .returning({ id: mfaFactors.id });
  return used.length > 0;
}

function recoveryCodesOf(userId: string) {
  return and(eq(mfaFactors.userId, userId), eq(mfaFactors.kind, 'recovery'));
}

function factorIdOf(code: string): string {
  return `recovery ${hashSecret(code).toString('base64url')}`;
}

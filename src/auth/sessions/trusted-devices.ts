/**
 * Devices that have logged into an account before, known by a cookie. A trusted device proves nothing: it only has its own
 * allowance of failed logins, so that somebody who guesses elsewhere cannot lock the owner out.
 */
import { and, eq, lt, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { trustedDevices } from '../../database/tables/credential-tables.ts';
import { hashSecret } from '../credentials/random-secrets.ts';

export interface TrustedDevices {
  /** @returns a key for counting the device's attempts; undefined if the account does not know it */
  readonly find: (userId: string, deviceKey: string | undefined) => Promise<string | undefined>;
  /** Called in the transaction that opens the session, so that both are undone together. */
  readonly remember: (tx: Transaction, userId: string, deviceKey: string | undefined) => Promise<void>;
  readonly forgetAll: (tx: Transaction, userId: string) => Promise<void>;
  /** Forgets devices that were unused for `unusedMs`. */
  readonly sweep: (unusedMs: number) => Promise<void>;
}

/** Devices of one account; beyond that, the one unused for the longest is forgotten. */
const devicesMax = 50;

export function createTrustedDevices(db: Database): TrustedDevices {
  return {
    find: async (userId, deviceKey) => {
      if (deviceKey === undefined) return undefined;
      const hash = hashSecret(deviceKey);
      const [row] = await db
        .select({ userId: trustedDevices.userId })
        .from(trustedDevices)
        .where(and(eq(trustedDevices.hash, hash), eq(trustedDevices.userId, userId)));
      return row && hash.toString('base64url');
    },
    remember: async (tx, userId, deviceKey) => {
      if (deviceKey === undefined) return;
      await tx
        .insert(trustedDevices)
        .values({ hash: hashSecret(deviceKey), userId })
        .onConflictDoUpdate({ target: [trustedDevices.hash, trustedDevices.userId], set: { lastUsedAt: sql`now()` } });
      await tx.execute(sql`delete from known_devices where user_id = ${userId} and hash in (
        select hash from known_devices where user_id = ${userId} order by last_used_at desc offset ${devicesMax})`);
    },
    forgetAll: async (tx, userId) => {
      await tx.delete(trustedDevices).where(eq(trustedDevices.userId, userId));
    },
    sweep: async (unusedMs) => {
      await db
        .delete(trustedDevices)
        .where(lt(trustedDevices.lastUsedAt, sql`now() - ${unusedMs} * interval '1 millisecond'`));
    },
  };
}

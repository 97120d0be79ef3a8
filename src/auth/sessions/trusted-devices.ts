/**
 * Devices that have logged into an account before, known by a cookie of their own. Knowing one proves nothing and logs
 * nobody in: it only keeps guessers elsewhere from using up the attempts of the person on that device.
 */
import { and, eq, lt, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { trustedDevices } from '../../database/tables/credential-tables.ts';
import { hashSecret } from '../credentials/random-secrets.ts';

export interface TrustedDevices {
  /** @returns a name for the device where the account knows it */
  readonly find: (userId: string, deviceKey: string | undefined) => Promise<string | undefined>;
  /** In the transaction that opens the login: what ends it ends this too. */
  readonly remember: (tx: Transaction, userId: string, deviceKey: string | undefined) => Promise<void>;
  readonly forgetAll: (tx: Transaction, userId: string) => Promise<void>;
  /** Forgets devices that were not used for so long. */
  readonly sweep: (unusedMs: number) => Promise<void>;
}

/** Devices that an account knows at most; the longest unused is forgotten first. */
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

/**
 * The keys that sign access tokens: Ed25519 pairs in the database, which every instance reads, or one shared secret
 * (HS256) if the operator sets `JWT_SECRET`.
 *
 * A key is published (it only verifies, until every instance and every reader of the JWKS knows it) → signs → is old (it
 * only verifies, until the last token that it signed has expired) → is deleted. The first key of a database signs at once.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey, randomBytes } from 'node:crypto';
import { desc, lt, sql } from 'drizzle-orm';
import type { Logger } from 'pino';
import type { Database } from '../../database/connect.ts';
import { logLevelOf } from '../../database/database-errors.ts';
import { signingKeys } from '../../database/tables/credential-tables.ts';

export interface SigningKey {
  /** `kid` in a token's header; empty for the shared secret. */
  readonly id: string;
  readonly algorithm: 'EdDSA' | 'HS256';
  /** PEM, or the secret. */
  readonly privateKey: string;
  readonly publicKey: string;
  /** For the JWKS; undefined for a shared secret. */
  readonly publicJwk: Record<string, unknown> | undefined;
}

export interface SigningKeys {
  readonly current: () => SigningKey;
  /** Reads the keys again if the id is unknown, at most once a second. */
  readonly find: (id: string) => Promise<SigningKey | undefined>;
  /** Whether the key is still among those that were read last. */
  readonly isHeld: (id: string) => boolean;
  readonly publicJwks: () => Record<string, unknown>[];
  readonly stop: () => void;
}

export interface SigningKeySettings {
  readonly secret: string | undefined;
  readonly rotationMs: number;
  /** How long a key is published before it signs. */
  readonly overlapMs: number;
  /** How long a token of an old key may still be used. */
  readonly verifyMs: number;
}

/** The longest pause between two checks of the keys' age. */
const checkMaxMs = 60_000;
const lockId = 727_540;

export async function startSigningKeys({
  db,
  logger,
  settings,
}: {
  db: Database;
  logger: Logger;
  settings: SigningKeySettings;
}): Promise<SigningKeys> {
  if (settings.secret !== undefined) return secretKey(settings.secret);
  const overlapMs = Math.min(settings.overlapMs, settings.rotationMs / 3);
  const checkMs = Math.min(checkMaxMs, overlapMs / 3);
  // A key signs until its successor was created and is published long enough, which takes up to two checks.
  const keptMs = settings.rotationMs + 2 * checkMs + settings.verifyMs;
  let keys = new Map<string, SigningKey>();
  let current: SigningKey;
  let loadedAtMs = 0;

  async function load(): Promise<void> {
    loadedAtMs = performance.now();
    const rows = await db
      .select({
        key: signingKeys,
        ripe: sql<boolean>`${signingKeys.createdAt} <= now() - ${overlapMs} * interval '1 millisecond'`,
      })
      .from(signingKeys)
      .orderBy(desc(signingKeys.createdAt));
    keys = new Map(rows.map(({ key }) => [key.id, keys.get(key.id) ?? toKey(key)]));
    // The newest key that was published long enough; at the beginning there is only one.
    current = keys.get((rows.find(({ ripe }) => ripe) ?? rows.at(-1)!).key.id)!;
  }

  /** One instance creates the new key; the others read it. */
  async function rotate(): Promise<void> {
    await db.transaction(async (tx) => {
      await tx.execute(sql`select pg_advisory_xact_lock(${lockId})`);
      const [young] = await tx
        .select({ id: signingKeys.id })
        .from(signingKeys)
        .where(sql`${signingKeys.createdAt} > now() - ${settings.rotationMs - overlapMs} * interval '1 millisecond'`)
        .limit(1);
      if (!young) await tx.insert(signingKeys).values(makeKey());
      await tx.delete(signingKeys).where(lt(signingKeys.createdAt, sql`now() - ${keptMs} * interval '1 millisecond'`));
    });
    await load();
  }

  await rotate();
  const timer = setInterval(() => {
    rotate().catch((error: unknown) =>
      logger[logLevelOf(error)]({ error }, 'signing keys could not be checked or rotated'),
    );
  }, checkMs);

  return {
    current: () => current,
    find: async (id) => {
      if (!keys.has(id) && performance.now() - loadedAtMs > 1000) await load();
      return keys.get(id);
    },
    isHeld: (id) => keys.has(id),
    publicJwks: () => [...keys.values()].flatMap(({ publicJwk }) => (publicJwk ? [publicJwk] : [])),
    stop: () => clearInterval(timer),
  };
}

function secretKey(secret: string): SigningKeys {
  const key: SigningKey = { id: '', algorithm: 'HS256', privateKey: secret, publicKey: secret, publicJwk: undefined };
  return {
    current: () => key,
    find: async (id) => (id === '' ? key : undefined),
    isHeld: (id) => id === '',
    publicJwks: () => [],
    stop: () => {},
  };
}

function makeKey(): typeof signingKeys.$inferInsert {
  const id = randomBytes(12).toString('base64url');
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const publicJwk = { ...publicKey.export({ format: 'jwk' }), kid: id, alg: 'EdDSA', use: 'sig' };
  return { id, algorithm: 'EdDSA', publicJwk, privateJwk: { ...privateKey.export({ format: 'jwk' }) } };
}

function toKey({ id, publicJwk, privateJwk }: typeof signingKeys.$inferSelect): SigningKey {
  const privateKey = createPrivateKey({ key: privateJwk as JsonWebKey, format: 'jwk' });
  return {
    id,
    algorithm: 'EdDSA',
    privateKey: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
    publicKey: createPublicKey(privateKey).export({ format: 'pem', type: 'spki' }) as string,
    publicJwk,
  };
}

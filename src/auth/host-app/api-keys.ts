/**
 * API keys, with which other servers call Parley. A key is 256 random bits, shown once and stored as a hash. It is looked up
 * for every request, so a revoked key fails on every instance as soon as the revocation was answered.
 */
import { and, desc, eq, isNull, lt, or, sql } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';
import { apiKeys } from '../../database/tables/request-tables.ts';
import { Failure } from '../../errors.ts';
import type { ApiScope, Caller } from '../../http/caller/caller.ts';
import { hashSecret, makeSecret } from '../credentials/random-secrets.ts';
import { type LockedSession, lockSession } from '../sessions/session-lock.ts';

export interface ApiKeyView {
  readonly id: string;
  readonly name: string;
  readonly scopes: string[];
  readonly createdBy: string;
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
}

export interface ApiKeys {
  /**
   * @param key.id chosen by the caller; if it exists already, nothing is created
   * @returns the key, which is not stored; null if the id exists already
   * @throws Failure `conflict` if there are `keysMax` keys, `unauthenticated` if the caller's session has ended
   */
  readonly create: (
    by: LockedSession,
    key: { id: string; name: string; scopes: readonly ApiScope[] },
  ) => Promise<{ id: string; key: string | null }>;
  readonly list: () => Promise<ApiKeyView[]>;
  /** @throws Failure `not_found` */
  readonly revoke: (id: string) => Promise<void>;
  /** Whether the text looks like an API key. */
  readonly isKey: (text: string) => boolean;
  /** @throws Failure `unauthenticated`, `forbidden` if the key lacks the scope or the route accepts no keys */
  readonly verify: (key: string, scope: ApiScope | undefined) => Promise<Caller>;
}

/** Secret scanners recognise leaked keys by it. */
const prefix = 'parley_key_';

export function createApiKeys({ db, settings }: { db: Database; settings: { keysMax: number } }): ApiKeys {
  const present = isNull(apiKeys.revokedAt);

  async function noteUse(id: string): Promise<void> {
    const stale = or(isNull(apiKeys.lastUsedAt), lt(apiKeys.lastUsedAt, sql`now() - interval '1 minute'`));
    await db
      .update(apiKeys)
      .set({ lastUsedAt: sql`now()` })
      .where(and(eq(apiKeys.id, id), stale));
  }

  return {
    create: async (by, { id, name, scopes }) => {
      const key = prefix + makeSecret();
      return db.transaction(async (tx) => {
        const { id: createdBy } = await lockSession(tx, by);
        await tx.execute(sql`lock table ${apiKeys} in share row exclusive mode`);
        if ((await tx.$count(apiKeys, eq(apiKeys.id, id))) > 0) return { id, key: null };
        if ((await tx.$count(apiKeys, present)) >= settings.keysMax)
          throw new Failure('conflict', `at most ${settings.keysMax} API keys; revoke one first`);
        await tx
          .insert(apiKeys)
          .values({ id, name, hash: hashSecret(key), scopes: [...new Set(scopes)].sort(), createdBy });
        return { id, key };
      });
    },
    list: async () => {
      const rows = await db.select().from(apiKeys).where(present).orderBy(desc(apiKeys.createdAt)).limit(1000);
      return rows.map(({ id, name, scopes, createdBy, createdAt, lastUsedAt }) => ({
        id,
        name,
        scopes,
        createdBy,
        createdAt: createdAt.toISOString(),
        lastUsedAt: lastUsedAt?.toISOString() ?? null,
      }));
    },
    revoke: async (id) => {
      const revoked = await db
        .update(apiKeys)
        .set({ revokedAt: sql`now()` })
        .where(and(eq(apiKeys.id, id), present))
        .returning({ id: apiKeys.id });
      if (revoked.length === 0) throw new Failure('not_found', 'no such API key');
    },
    isKey: (text) => text.startsWith(prefix),
    verify: async (key, scope) => {
      const [row] = await db
        .select({
          id: apiKeys.id,
          scopes: apiKeys.scopes,
          stale: sql<boolean>`coalesce(${apiKeys.lastUsedAt} < now() - interval '1 minute', true)`,
        })
        .from(apiKeys)
        .where(and(eq(apiKeys.hash, hashSecret(key)), present));
      if (!row) throw new Failure('unauthenticated', 'the API key is not valid');
      if (!scope) throw new Failure('forbidden', 'this route does not accept API keys');
      if (!row.scopes.includes(scope)) throw new Failure('forbidden', `this API key lacks the scope ${scope}`);
      if (row.stale) await noteUse(row.id);
      // The key itself is the caller: it does not act for the user who created it.
      return {
        userId: row.id,
        sessionId: undefined,
        role: 'server',
        kind: 'server',
        expiresAt: Number.MAX_SAFE_INTEGER,
      };
    },
  };
}

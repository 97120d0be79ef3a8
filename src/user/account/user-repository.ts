/** Accounts in Postgres. */
import { and, asc, eq, gt, isNull, ne, not, notExists, or, type SQL, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { v7 as uuidv7 } from 'uuid';
import type { Database, Transaction } from '../../database/connect.ts';
import { isUniqueViolation } from '../../database/database-errors.ts';
import { nameWords, users } from '../../database/tables/user-tables.ts';
import { Failure } from '../../errors.ts';
import { toAsciiDomain } from '../profile/user-text.ts';

export type UserRow = typeof users.$inferSelect;

export interface NewUser {
  readonly username: string;
  readonly displayName: string;
  readonly kind: 'user' | 'guest';
  readonly avatarUrl?: string | null;
  readonly email?: string | null;
  readonly emailVerified?: boolean;
  readonly passwordHash?: string | null;
  readonly role?: UserRow['role'];
}

export interface AddressProof {
  readonly email: string;
  /** Whether whoever holds the address has shown to hold the account as well. */
  readonly inside: boolean;
}

export interface UserRepository {
  /** @throws Failure `conflict` when the username is taken */
  readonly create: (tx: Database | Transaction, user: NewUser) => Promise<UserRow>;
  readonly find: (id: string) => Promise<UserRow | undefined>;
  /** By username, or by address: the verified owner, else the only account that gave it. */
  readonly findByLogin: (login: string) => Promise<UserRow | undefined>;
  readonly findVerifiedOwner: (email: string) => Promise<UserRow | undefined>;
  readonly update: (
    tx: Database | Transaction,
    id: string,
    changes: Partial<Pick<UserRow, 'displayName' | 'avatarUrl' | 'passwordHash' | 'role'>>,
  ) => Promise<UserRow | undefined>;
  /** Another hash of the same password. @returns undefined when the present one is not `from`, or the account is gone */
  readonly replaceHash: (id: string, hashes: { from: string; to: string }) => Promise<UserRow | undefined>;
  /** Another address; null leaves none. @throws a violation of `users_verified_email` when a verified one is somebody else's */
  readonly setAddress: (
    tx: Database | Transaction,
    id: string,
    address: { email: string | null; emailVerified: boolean },
  ) => Promise<void>;
  /** Makes a guest a user. @returns undefined when it is no guest. @throws Failure `conflict` when the username is taken */
  readonly upgrade: (
    tx: Transaction,
    id: string,
    account: { username: string; displayName: string; email: string; passwordHash: string },
  ) => Promise<UserRow | undefined>;
  /**
   * Gives the account a new address, proved already; `inside`: in a login of the account.
   * @returns the old one, verified or not; undefined when somebody else owns the new one
   */
  readonly changeEmail: (
    tx: Transaction,
    id: string,
    proof: AddressProof,
  ) => Promise<{ oldEmail: string | null; wasVerified: boolean } | undefined>;
  /**
   * Locks the account until the transaction ends.
   * @returns the account as it was before; undefined when somebody else owns the address by now, or it is no longer the account's
   */
  readonly verifyEmail: (tx: Transaction, id: string, proof: AddressProof) => Promise<UserRow | undefined>;
  /**
   * People whose display name has a word, or whose username, that begins so, in whatever case and with or without accents; by
   * username. Nobody is found by their address.
   */
  readonly search: (
    query: string,
    after: { username: string; id: string } | undefined,
    limit: number,
  ) => Promise<UserRow[]>;
  /** Whether nobody has signed up before `id`; guests have not. Of several at the same moment one is the first. */
  readonly isFirst: (tx: Transaction, id: string) => Promise<boolean>;
}

export function createUserRepository(db: Database): UserRepository {
  const present = isNull(users.erasedAt);
  const others = alias(users, 'others');

  /** The address is locked by its hash: of two accounts that gave it the first to verify owns it. */
  async function lockAddress(tx: Transaction, email: string): Promise<void> {
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${email.toLowerCase()}, 0))`);
  }

  function ownedByOther(tx: Transaction, id: string, email: string) {
    return tx
      .select({ one: sql`1` })
      .from(others)
      .where(
        and(
          eq(sql`lower(${others.email})`, email.toLowerCase()),
          sql`${others.emailVerifiedAt} is not null`,
          ne(others.id, id),
        ),
      );
  }

  return {
    create: async (tx, { emailVerified = false, ...user }) => {
      try {
        const [row] = await tx
          .insert(users)
          .values({ ...user, id: uuidv7(), emailVerifiedAt: emailVerified ? new Date() : null })
          .returning();
        return row!;
      } catch (error) {
        throw asTakenName(error);
      }
    },
    upgrade: async (tx, id, account) => {
      try {
        const [row] = await tx
          .update(users)
          .set({ ...account, kind: 'user' })
          .where(and(eq(users.id, id), eq(users.kind, 'guest'), present))
          .returning();
        return row;
      } catch (error) {
        throw asTakenName(error);
      }
    },
    changeEmail: async (tx, id, { email, inside }) => {
      await lockAddress(tx, email);
      const [before] = await tx
        .select({ oldEmail: users.email, verifiedAt: users.emailVerifiedAt })
        .from(users)
        .where(and(eq(users.id, id), present))
        .for('update');
      if (!before) return undefined;
      const changed = await tx
        .update(users)
        .set({ email, emailVerifiedAt: sql`now()`, confirmedOutside: !inside })
        .where(and(eq(users.id, id), notExists(ownedByOther(tx, id, email))))
        .returning({ id: users.id });
      return changed.length > 0 ? { oldEmail: before.oldEmail, wasVerified: before.verifiedAt !== null } : undefined;
    },
    find: async (id) => {
      const [row] = await db
        .select()
        .from(users)
        .where(and(eq(users.id, id), present));
      return row;
    },
    findByLogin: async (login) => {
      if (!login.includes('@')) {
        const [row] = await db
          .select()
          .from(users)
          .where(and(eq(sql`lower(${users.username})`, login.toLowerCase()), present));
        return row;
      }
      const rows = await db
        .select()
        .from(users)
        .where(and(eq(sql`lower(${users.email})`, toAsciiDomain(login).toLowerCase()), present))
        // The owner first, however many others gave the address.
        .orderBy(sql`${users.emailVerifiedAt} is null`)
        .limit(2);
      return rows.find((row) => row.emailVerifiedAt !== null) ?? (rows.length === 1 ? rows[0] : undefined);
    },
    findVerifiedOwner: async (email) => {
      const [row] = await db
        .select()
        .from(users)
        .where(
          and(eq(sql`lower(${users.email})`, email.toLowerCase()), sql`${users.emailVerifiedAt} is not null`, present),
        );
      return row;
    },
    update: async (tx, id, changes) => {
      const [row] = await tx
        .update(users)
        .set(changes)
        .where(and(eq(users.id, id), present))
        .returning();
      return row;
    },
    replaceHash: async (id, { from, to }) => {
      const [row] = await db
        .update(users)
        .set({ passwordHash: to })
        .where(and(eq(users.id, id), eq(users.passwordHash, from), present))
        .returning();
      return row;
    },
    setAddress: async (tx, id, { email, emailVerified }) => {
      const same = and(
        sql`${users.email} is not distinct from ${email}`,
        sql`(${users.emailVerifiedAt} is not null) = ${emailVerified}`,
      );
      await tx
        .update(users)
        .set({ email, emailVerifiedAt: emailVerified ? sql`now()` : null, confirmedOutside: false })
        .where(and(eq(users.id, id), present, not(same!)));
    },
    verifyEmail: async (tx, id, { email, inside }) => {
      await lockAddress(tx, email);
      const [before] = await tx.select().from(users).where(eq(users.id, id)).for('update');
      const verified = await tx
        .update(users)
        .set({
          emailVerifiedAt: sql`now()`,
          // What was shown once stays shown.
          confirmedOutside: inside ? false : sql`${users.emailVerifiedAt} is null or ${users.confirmedOutside}`,
        })
        .where(
          and(
            eq(users.id, id),
            eq(sql`lower(${users.email})`, email.toLowerCase()),
            present,
            notExists(ownedByOther(tx, id, email)),
          ),
        )
        .returning({ id: users.id });
      return verified.length > 0 ? before : undefined;
    },
    search: async (query, after, limit) => {
      const name = sql<string>`lower(${users.username})`;
      return db
        .select()
        .from(users)
        .where(
          and(
            present,
            query === '' ? undefined : sql`${nameWords(users)} @@ ${nameQuery(query)}`,
            after && or(gt(name, after.username), and(eq(name, after.username), gt(users.id, after.id))),
          ),
        )
        .orderBy(asc(name), asc(users.id))
        .limit(limit);
    },
    isFirst: async (tx, id) => {
      const isAlone = async () => {
        const another = and(ne(users.id, id), eq(users.kind, 'user'));
        const [other] = await tx.select({ id: users.id }).from(users).where(another).limit(1);
        return other === undefined;
      };
      if (!(await isAlone())) return false;
      // Accounts that are made at the same moment do not see each other: one goes first, the next looks again.
      await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended('first account', 0))`);
      return isAlone();
    },
  };
}

/**
 * Each word asked for begins a word of the display name, or the text as a whole begins the username. Words that
 * `parley_name_words` makes hold no quote and no backslash, so they can be quoted as they are. Null, which finds nobody, for a
 * text without words.
 */
function nameQuery(query: string): SQL {
  const username = query.toLowerCase().replace(/^@/, '');
  const asUsername = /^[a-z0-9_.-]+$/.test(username) ? `'${username}':*` : null;
  return sql`(
    select nullif(concat_ws(' | ', '(' || string_agg('''' || word || ''':*', ' & ') || ')', ${asUsername}::text), '')::tsquery
    from unnest(parley_name_words(${query})) word)`;
}

function asTakenName(error: unknown): unknown {
  if (isUniqueViolation(error, 'users_verified_email'))
    return new Failure('conflict', 'this address belongs to another account');
  if (!isUniqueViolation(error, 'users_username')) return error;
  return new Failure('conflict', 'this username is taken', {
    cause: error,
    errors: [{ path: '/username', message: 'is taken' }],
  });
}

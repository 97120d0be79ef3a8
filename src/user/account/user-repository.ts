/** Accounts in Postgres. An erased account is absent from every answer. */
import { and, asc, eq, gt, isNull, ne, or, type SQL, sql } from 'drizzle-orm';
import { v7 as uuidv7 } from 'uuid';
import type { Database, Transaction } from '../../database/connect.ts';
import { isUniqueViolation } from '../../database/database-errors.ts';
import { nameWords, users } from '../../database/tables/user-tables.ts';
import { Failure } from '../../errors.ts';
import type { StatusColumns } from '../status/custom-status.ts';
import { type AddressRepository, createAddressRepository } from './address-repository.ts';
import { toAsciiDomain } from './user-text.ts';

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

export interface UserRepository extends AddressRepository {
  /** @throws Failure `conflict` if the username is taken */
  readonly create: (tx: Database | Transaction, user: NewUser) => Promise<UserRow>;
  readonly find: (id: string) => Promise<UserRow | undefined>;
  /** Finds by username or by address. Of several accounts with the address, finds its verified owner or none. */
  readonly findByLogin: (login: string) => Promise<UserRow | undefined>;
  readonly update: (
    tx: Database | Transaction,
    id: string,
    changes: Partial<
      Pick<UserRow, 'displayName' | 'avatarUrl' | 'passwordHash' | 'role' | 'invisible' | keyof StatusColumns>
    >,
  ) => Promise<UserRow | undefined>;
  /** Stores another hash of the same password. @returns undefined if the present hash is not `from` */
  readonly replaceHash: (id: string, hashes: { from: string; to: string }) => Promise<UserRow | undefined>;
  /** Makes a guest a user. @returns undefined if the account is no guest. @throws Failure `conflict` if the username is taken */
  readonly upgrade: (
    tx: Transaction,
    id: string,
    account: { username: string; displayName: string; email: string; passwordHash: string },
  ) => Promise<UserRow | undefined>;
  /**
   * Finds users by the beginning of their username or of words of their display name, without regard to case and accents.
   * Never searches addresses. Ordered by username.
   */
  readonly search: (
    query: string,
    after: { username: string; id: string } | undefined,
    limit: number,
  ) => Promise<UserRow[]>;
  /** Whether `id` is the only user so far; guests do not count. Of several concurrent sign-ups, one is the first. */
  readonly isFirst: (tx: Transaction, id: string) => Promise<boolean>;
}

const present = isNull(users.erasedAt);

export function createUserRepository(db: Database): UserRepository {
  async function find(id: string): Promise<UserRow | undefined> {
    const [row] = await db
      .select()
      .from(users)
      .where(and(eq(users.id, id), present));
    return row;
  }

  async function findByLogin(login: string): Promise<UserRow | undefined> {
    return login.includes('@') ? findByAddress(db, login) : findByUsername(db, login);
  }

  const replaceHash: UserRepository['replaceHash'] = async (id, { from, to }) => {
    const [row] = await db
      .update(users)
      .set({ passwordHash: to })
      .where(and(eq(users.id, id), eq(users.passwordHash, from), present))
      .returning();
    return row;
  };

  const search: UserRepository['search'] = async (query, after, limit) => {
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
  };

  return { ...createAddressRepository(db), create, find, findByLogin, update, replaceHash, upgrade, search, isFirst };
}

async function findByUsername(db: Database, username: string): Promise<UserRow | undefined> {
  const [row] = await db
    .select()
    .from(users)
    .where(and(eq(sql`lower(${users.username})`, username.toLowerCase()), present));
  return row;
}

async function findByAddress(db: Database, email: string): Promise<UserRow | undefined> {
  const rows = await db
    .select()
    .from(users)
    .where(and(eq(sql`lower(${users.email})`, toAsciiDomain(email).toLowerCase()), present))
    // The verified owner comes first, so two rows are enough to know whether there are several.
    .orderBy(sql`${users.emailVerifiedAt} is null`)
    .limit(2);
  return rows.find((row) => row.emailVerifiedAt !== null) ?? (rows.length === 1 ? rows[0] : undefined);
}

const create: UserRepository['create'] = async (tx, { emailVerified = false, ...user }) => {
  try {
    const [row] = await tx
      .insert(users)
      .values({ ...user, id: uuidv7(), emailVerifiedAt: emailVerified ? new Date() : null })
      .returning();
    return row!;
  } catch (error) {
    throw asTakenName(error);
  }
};

const upgrade: UserRepository['upgrade'] = async (tx, id, account) => {
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
};

const update: UserRepository['update'] = async (tx, id, changes) => {
  const [row] = await tx
    .update(users)
    .set(changes)
    .where(and(eq(users.id, id), present))
    .returning();
  return row;
};

async function isFirst(tx: Transaction, id: string): Promise<boolean> {
  if (!(await isOnlyUser(tx, id))) return false;
  // Concurrent transactions do not see each other's users. The lock orders them, and the second one checks again.
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended('first account', 0))`);
  return isOnlyUser(tx, id);
}

async function isOnlyUser(tx: Transaction, id: string): Promise<boolean> {
  const another = and(ne(users.id, id), eq(users.kind, 'user'));
  const [other] = await tx.select({ id: users.id }).from(users).where(another).limit(1);
  return other === undefined;
}

/**
 * Every word of the query must begin a word of the display name, or the whole query must begin the username. The words of
 * `parley_name_words` contain no quote or backslash, so they need no escaping. Null, which matches nobody, for a query
 * without words.
 */
export function nameQuery(query: string): SQL {
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

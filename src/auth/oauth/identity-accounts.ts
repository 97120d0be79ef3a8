/**
 * Accounts of people whose identity comes from an issuer: a login provider or a host application. The identity is
 * (issuer, subject) and nothing else. An e-mail address or a name in the claims never opens or links an account.
 */
import { and, eq, isNull } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { isUniqueViolation } from '../../database/database-errors.ts';
import { identities } from '../../database/tables/identity-tables.ts';
import { users as usersTable } from '../../database/tables/user-tables.ts';
import { Failure } from '../../errors.ts';
import { toLine } from '../../http/input/line-text.ts';
import { lockAccount } from '../../user/account/account-lock.ts';
import type { UserRepository, UserRow } from '../../user/account/user-repository.ts';
import { displayNameMax, type RequireUsername, requireEmail } from '../../user/account/user-text.ts';
import type { JudgeName } from '../../user/profile/user-service.ts';
import { requireNotErased } from '../account/erased-identities.ts';
import type { PersonClaims } from './identity-claims.ts';
import { usernameCandidates } from './username-candidates.ts';

export interface NewIdentity {
  /** Absent for a host application. */
  readonly provider?: string;
  /** When the issuer named the person, milliseconds since the epoch. Claims from before an erasure are refused. */
  readonly issuedAt?: number;
  readonly profile?: Record<string, unknown>;
  readonly role?: UserRow['role'] | undefined;
}

export interface IdentityAccounts {
  readonly find: (person: { issuer: string; subject: string }) => Promise<IdentityRow | undefined>;
  /**
   * @returns the id of the new user, or of the one that another instance has just created for the same identity
   * @throws Failure `unauthenticated` for claims from before an erasure, `conflict` if no username is free
   */
  readonly create: (person: PersonClaims, identity: NewIdentity) => Promise<string>;
  /** Takes over the present claims of a host application, as far as it manages the account. */
  readonly refresh: (
    row: IdentityRow,
    person: PersonClaims,
    identity: Pick<NewIdentity, 'profile' | 'role'>,
  ) => Promise<void>;
}

export interface IdentityRow {
  readonly id: string;
  readonly issuer: string;
  readonly subject: string;
  readonly userId: string;
  /** The login provider; null for a host application. */
  readonly provider: string | null;
  readonly profile: Record<string, unknown>;
  readonly role: UserRow['role'];
  readonly tokensEndedAt: Date | null;
  readonly managedBy: ManagedBy;
}

/**
 * Which parts of an account its issuer may change. `host`: the application created the account and manages all of it,
 * including address and role. `shared`: the user has set a password or another address since, so the application manages
 * only name and picture. `own`: the account belongs to a login provider's user, and the issuer changes nothing.
 */
export type ManagedBy = 'host' | 'shared' | 'own';

export function createIdentityAccounts({
  db,
  users,
  judgeName,
  requireUsername,
}: {
  db: Database;
  users: UserRepository;
  judgeName: JudgeName;
  requireUsername: RequireUsername;
}): IdentityAccounts {
  async function find({ issuer, subject }: { issuer: string; subject: string }): Promise<IdentityRow | undefined> {
    const [row] = await db
      .select({
        id: identities.id,
        issuer: identities.issuer,
        subject: identities.subject,
        userId: identities.userId,
        profile: identities.profile,
        role: usersTable.role,
        tokensEndedAt: usersTable.tokensEndedAt,
        provider: identities.provider,
        email: usersTable.email,
        passwordHash: usersTable.passwordHash,
      })
      .from(identities)
      .innerJoin(usersTable, eq(usersTable.id, identities.userId))
      .where(and(eq(identities.issuer, issuer), eq(identities.subject, subject), isNull(usersTable.erasedAt)));
    if (!row) return undefined;
    const { email, passwordHash, ...identity } = row;
    return { ...identity, managedBy: managedByOf(identity, { email, passwordHash }) };
  }

  /** @returns undefined for a name that moderation refuses */
  async function allowedName(name: string | undefined, userId: string): Promise<string | undefined> {
    if (name === undefined) return undefined;
    try {
      // Moderation sees the whole name: cutting it first could hide the offensive part.
      await judgeName(name, userId);
      return toLine(name, displayNameMax);
    } catch (error) {
      if (error instanceof Failure && ['invalid', 'message_blocked'].includes(error.code)) return undefined;
      throw error;
    }
  }

  const isUsername = (text: string) => passes(() => requireUsername(text));

  /** Random usernames need no moderation. */
  async function isAllowed(username: string): Promise<boolean> {
    return username.startsWith('user-') || (await allowedName(username, '')) !== undefined;
  }

  /** @returns no address if another account has verified it: then this account does not show it either */
  async function ownAddress({ email, emailVerified = false }: PersonClaims, userId?: string): Promise<Address> {
    const address = email === undefined ? undefined : findAddress(email);
    const owner = address === undefined ? undefined : await users.findVerifiedOwner(address);
    if (address === undefined || (owner && owner.id !== userId)) return noAddress;
    return { email: address, emailVerified };
  }

  async function requireFound(person: PersonClaims): Promise<IdentityRow> {
    const row = await find(person);
    if (!row) throw new Failure('unavailable', 'the account was erased just now', { retryAfterMs: 1000 });
    return row;
  }

  const create: IdentityAccounts['create'] = async (person, identity) => {
    const displayName = await allowedName(person.name, '');
    for (const username of usernameCandidates(person, isUsername)) {
      if (!(await isAllowed(username))) continue;
      try {
        const address = await ownAddress(person);
        const profile = { username, displayName: displayName ?? username, address };
        return await db.transaction((tx) => insert(tx, person, identity, profile));
      } catch (error) {
        // Another instance has created the same person at the same time.
        if (isUniqueViolation(error, 'identities')) return (await requireFound(person)).userId;
        const isTaken =
          (error instanceof Failure && error.code === 'conflict') || isUniqueViolation(error, 'users_verified_email');
        if (!isTaken) throw error;
      }
    }
    throw new Failure('conflict', 'no username is free for this login');
  };

  /** @returns the id of the new user */
  async function insert(
    tx: Transaction,
    person: PersonClaims,
    { provider, issuedAt, profile = {}, role }: NewIdentity,
    { username, displayName, address }: { username: string; displayName: string; address: Address },
  ): Promise<string> {
    const { issuer, subject } = person;
    const user = await users.create(tx, {
      ...{ username, displayName, kind: 'user', avatarUrl: pictureOf(person), ...address },
      ...(role ? { role } : {}),
    });
    await tx.insert(identities).values({
      ...{ issuer, subject, userId: user.id, provider: provider ?? null },
      profile: { ...profile, givenAddress: address.email },
    });
    // Checked after the insert, which waits for an erasure that is deleting the identity's old row.
    if (issuedAt !== undefined) await requireNotErased(tx, person, issuedAt);
    return user.id;
  }

  const refresh: IdentityAccounts['refresh'] = async (row, person, { profile = {}, role }) => {
    const displayName = await allowedName(person.name, row.userId);
    const shown = { ...(displayName === undefined ? {} : { displayName }), avatarUrl: pictureOf(person) };
    const write = (address: Address) => db.transaction((tx) => update(tx, row, { shown, address, profile, role }));
    try {
      await write(await ownAddress(person, row.userId));
    } catch (error) {
      if (!isUniqueViolation(error, 'users_verified_email')) throw error;
      // Another account has verified the address since it was checked.
      await write(noAddress);
    }
  };

  async function update(
    tx: Transaction,
    row: IdentityRow,
    { shown, address, profile, role }: ProfileUpdate,
  ): Promise<void> {
    const user = await lockAccount(tx, row.userId, 'update');
    const managedBy = managedByOf(row, user);
    const isHost = managedBy === 'host';
    if (managedBy !== 'own') await users.update(tx, row.userId, { ...shown, ...(isHost && role ? { role } : {}) });
    // An address that is verified already stays verified if the application does not say so.
    const takesAddress = isHost && address.email !== null && (address.emailVerified || address.email !== user.email);
    if (takesAddress) await users.setAddress(tx, row.userId, address);
    const givenAddress = takesAddress ? address.email : givenBy(row.profile);
    await tx
      .update(identities)
      .set({ profile: { ...profile, givenAddress } })
      .where(eq(identities.id, row.id));
  }

  return { find, create, refresh };
}

interface ProfileUpdate {
  readonly shown: { readonly displayName?: string; readonly avatarUrl: string | null };
  readonly address: Address;
  readonly profile: Record<string, unknown>;
  readonly role: UserRow['role'] | undefined;
}

interface Address {
  readonly email: string | null;
  readonly emailVerified: boolean;
}

const noAddress: Address = { email: null, emailVerified: false };

function managedByOf(
  { provider, profile }: { provider: string | null; profile: Record<string, unknown> },
  { email, passwordHash }: { email: string | null; passwordHash: string | null },
): ManagedBy {
  if (provider !== null) return 'own';
  return passwordHash !== null || (email !== null && email !== givenBy(profile)) ? 'shared' : 'host';
}

/** The address that the account got from the application. The application may have named another one since, which was refused. */
function givenBy({ givenAddress, email }: Record<string, unknown>): unknown {
  return givenAddress ?? email ?? null;
}

function pictureOf({ picture }: PersonClaims): string | null {
  return picture !== undefined && /^https:\/\/[^\s\p{C}"'<>\\]+$/u.test(picture) ? picture : null;
}

function findAddress(text: string): string | undefined {
  return passes(() => requireEmail(text)) ? requireEmail(text) : undefined;
}

function passes(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

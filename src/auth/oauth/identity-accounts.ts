/**
 * Accounts of people whom somebody else vouches for: a login provider or a host application. Such a person is
 * (issuer, subject) and nothing else: an address or a name that is said of them opens and links no account.
 */
import { and, eq, isNull } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';
import { isUniqueViolation } from '../../database/database-errors.ts';
import { identities } from '../../database/tables/identity-tables.ts';
import { users as usersTable } from '../../database/tables/user-tables.ts';
import { Failure } from '../../errors.ts';
import { toLine } from '../../http/input/line-text.ts';
import { lockAccount } from '../../user/account/account-lock.ts';
import type { UserRepository, UserRow } from '../../user/account/user-repository.ts';
import type { JudgeName } from '../../user/profile/user-service.ts';
import { displayNameMax, type RequireUsername, requireEmail } from '../../user/profile/user-text.ts';
import { requireNotErased } from '../account/erased-identities.ts';
import type { PersonClaims } from './identity-claims.ts';
import { usernameCandidates } from './username-candidates.ts';

export interface NewIdentity {
  /** Absent: a host application. */
  readonly provider?: string;
  /** When somebody vouched, milliseconds since the epoch: what was said before an erasure brings nobody back. */
  readonly issuedAt?: number;
  readonly profile?: Record<string, unknown>;
  readonly role?: UserRow['role'] | undefined;
}

export interface IdentityAccounts {
  readonly find: (person: { issuer: string; subject: string }) => Promise<IdentityRow | undefined>;
  /** @returns the user; of somebody who came at the same moment elsewhere, theirs. @throws Failure `unauthenticated` for what was issued before an erasure */
  readonly create: (person: PersonClaims, identity: NewIdentity) => Promise<string>;
  /** What a host application says now becomes what is shown, as far as the account is its to look after. */
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
  /** The login provider that it came through; null: a host application. */
  readonly provider: string | null;
  readonly profile: Record<string, unknown>;
  readonly role: UserRow['role'];
  readonly tokensEndedAt: Date | null;
  /** What a host application says of the user goes as far as this. */
  readonly managedBy: ManagedBy;
}

/**
 * Who looks after an account. `host`: the application that made it, address and role included; `shared`: it has a
 * password or another address by now, so the application keeps its name and picture alone; `own`: it came about
 * otherwise, and an issuer that is a login provider as well says nothing of it.
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

  /** The name, if it may be shown: what moderation refuses nobody gets to see. */
  async function allowedName(name: string | undefined, userId: string): Promise<string | undefined> {
    if (name === undefined) return undefined;
    try {
      // Judged whole: cutting must not hide what is wrong with it.
      await judgeName(name, userId);
      return toLine(name, displayNameMax);
    } catch (error) {
      if (error instanceof Failure && ['invalid', 'message_blocked'].includes(error.code)) return undefined;
      throw error;
    }
  }

  const isUsername = (text: string) => passes(() => requireUsername(text));

  /** What is drawn says nothing that moderation could refuse. */
  async function isAllowed(username: string): Promise<boolean> {
    return username.startsWith('user-') || (await allowedName(username, '')) !== undefined;
  }

  /** An address that somebody owns stays theirs: this account does not even mention it. */
  async function ownAddress({ email, emailVerified = false }: PersonClaims, userId?: string): Promise<Address> {
    const address = email === undefined ? undefined : findAddress(email);
    const owner = address === undefined ? undefined : await users.findVerifiedOwner(address);
    if (address === undefined || (owner && owner.id !== userId)) return noAddress;
    return { email: address, emailVerified };
  }

  async function requireFound(person: PersonClaims): Promise<IdentityRow> {
    const row = await find(person);
    if (!row) throw new Failure('unavailable', 'the account is gone again', { retryAfterMs: 1000 });
    return row;
  }

  async function create(
    person: PersonClaims,
    { provider, issuedAt, profile = {}, role }: NewIdentity,
  ): Promise<string> {
    const { issuer, subject } = person;
    const displayName = await allowedName(person.name, '');
    for (const username of usernameCandidates(person, isUsername)) {
      if (!(await isAllowed(username))) continue;
      try {
        const address = await ownAddress(person);
        return await db.transaction(async (tx) => {
          const user = await users.create(tx, {
            username,
            displayName: displayName ?? username,
            kind: 'user',
            avatarUrl: pictureOf(person),
            ...address,
            ...(role ? { role } : {}),
          });
          await tx.insert(identities).values({
            issuer,
            subject,
            userId: user.id,
            provider: provider ?? null,
            profile: { ...profile, givenAddress: address.email },
          });
          // Afterwards: the row could not be written while an erasure was still taking the old one away.
          if (issuedAt !== undefined) await requireNotErased(tx, person, issuedAt);
          return user.id;
        });
      } catch (error) {
        // The same person on another instance at the same moment.
        if (isUniqueViolation(error, 'identities')) return (await requireFound(person)).userId;
        const taken =
          (error instanceof Failure && error.code === 'conflict') || isUniqueViolation(error, 'users_verified_email');
        if (!taken) throw error;
      }
    }
    throw new Failure('conflict', 'no username is free for this login');
  }

  async function refresh(
    row: IdentityRow,
    person: PersonClaims,
    { profile = {}, role }: Pick<NewIdentity, 'profile' | 'role'>,
  ): Promise<void> {
    const displayName = await allowedName(person.name, row.userId);
    const shown = { ...(displayName === undefined ? {} : { displayName }), avatarUrl: pictureOf(person) };
    const write = (address: Address) =>
      db.transaction(async (tx) => {
        const user = await lockAccount(tx, row.userId, 'update');
        const managedBy = managedByOf(row, user);
        const whole = managedBy === 'host';
        if (managedBy !== 'own') await users.update(tx, row.userId, { ...shown, ...(whole && role ? { role } : {}) });
        // What is proved already is no less proved because the application does not say so.
        const takes = whole && address.email !== null && (address.emailVerified || address.email !== user.email);
        if (takes) await users.setAddress(tx, row.userId, address);
        const givenAddress = takes ? address.email : givenBy(row.profile);
        await tx
          .update(identities)
          .set({ profile: { ...profile, givenAddress } })
          .where(eq(identities.id, row.id));
      });
    try {
      await write(await ownAddress(person, row.userId));
    } catch (error) {
      if (!isUniqueViolation(error, 'users_verified_email')) throw error;
      // Somebody else verified that address a moment ago: it is theirs.
      await write(noAddress);
    }
  }

  return { find, create, refresh };
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

/** The address that the account has from the application, which may have named another since that is somebody else's. */
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

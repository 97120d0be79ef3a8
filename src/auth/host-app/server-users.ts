/** Lets other servers create accounts, and open and end sessions. */
import type { Database } from '../../database/connect.ts';
import { Failure, invalid } from '../../errors.ts';
import type { UserRepository } from '../../user/account/user-repository.ts';
import { type RequireUsername, requireDisplayName, requireEmail } from '../../user/account/user-text.ts';
import { type JudgeName, type OwnUser, toOwnUser } from '../../user/profile/user-service.ts';
import type { IdentityAccounts } from '../oauth/identity-accounts.ts';
import type { PersonClaims } from '../oauth/identity-claims.ts';
import type { Login, SessionOpener } from '../sessions/session-opener.ts';
import type { Device, SessionStore } from '../sessions/session-store.ts';

export interface NewServerUser {
  readonly username?: string;
  readonly displayName?: string;
  readonly avatarUrl?: string | null;
  readonly email?: string;
  readonly emailVerified?: boolean;
  /** The user's identity at a configured issuer, whose tokens then identify this account. */
  readonly identity?: { readonly issuer: string; readonly subject: string };
}

export interface ServerUsers {
  /** @returns the new account, or the one that the identity has already. @throws Failure `invalid`, `conflict`, `message_blocked` */
  readonly create: (user: NewServerUser) => Promise<{ user: OwnUser; created: boolean }>;
  /** @throws Failure `not_found`, `banned`, `forbidden` for moderators and admins, who must log in themselves */
  readonly openSession: (userId: string, device: Device) => Promise<Login>;
  /** Ends every session of the user, and the tokens that host applications issued to them until now. @throws Failure `not_found` */
  readonly endSessions: (userId: string) => Promise<void>;
}

export function createServerUsers({
  db,
  users,
  accounts,
  opener,
  sessions,
  issuers,
  judgeName,
  requireUsername,
  onRevoked,
}: {
  db: Database;
  users: UserRepository;
  accounts: IdentityAccounts;
  opener: Pick<SessionOpener, 'open'>;
  sessions: SessionStore;
  /** The configured issuers. */
  issuers: ReadonlySet<string>;
  judgeName: JudgeName;
  requireUsername: RequireUsername;
  /** Resolves when this instance refuses what was ended; the others get a hint. */
  onRevoked: () => Promise<void>;
}): ServerUsers {
  async function requireUser(userId: string) {
    const user = await users.find(userId);
    if (!user) throw new Failure('not_found', 'no such user');
    return user;
  }

  async function createByIdentity(draft: NewServerUser, identity: { issuer: string; subject: string }) {
    if (!issuers.has(identity.issuer)) throw invalid('/identity/issuer', 'is not one of auth.issuers');
    const known = await accounts.find(identity);
    if (known) return { user: toOwnUser(await requireUser(known.userId)), created: false };
    const person: PersonClaims = {
      ...identity,
      name: draft.displayName === undefined ? undefined : requireDisplayName(draft.displayName),
      username: draft.username,
      picture: draft.avatarUrl ?? undefined,
      email: draft.email,
      emailVerified: draft.emailVerified ?? false,
    };
    return { user: toOwnUser(await requireUser(await accounts.create(person, {}))), created: true };
  }

  async function createByName(draft: NewServerUser) {
    if (draft.username === undefined) throw invalid('/username', 'is missing; give a username or an identity');
    const username = requireUsername(draft.username);
    const displayName = requireDisplayName(draft.displayName ?? username);
    const email = draft.email === undefined ? null : requireEmail(draft.email);
    await judgeName(username, '');
    if (displayName !== username) await judgeName(displayName, '');
    const emailVerified = email !== null && (draft.emailVerified ?? false);
    if (emailVerified && (await users.findVerifiedOwner(email)))
      throw new Failure('conflict', 'this address belongs to another account');
    const { avatarUrl = null } = draft;
    const row = await users.create(db, { username, displayName, kind: 'user', avatarUrl, email, emailVerified });
    return { user: toOwnUser(row), created: true };
  }

  return {
    create: (draft) => (draft.identity ? createByIdentity(draft, draft.identity) : createByName(draft)),
    openSession: async (userId, device) => opener.open(await requireUser(userId), device),
    endSessions: async (userId) => {
      await requireUser(userId);
      await db.transaction((tx) => sessions.revokeAll(tx, userId));
      await onRevoked();
    },
  };
}

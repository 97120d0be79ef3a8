/** One's own profile and the public profiles of others. */
import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { UserRepository, UserRow } from '../account/user-repository.ts';
import { requireDisplayName } from '../account/user-text.ts';
import type { Profiles, PublicProfile } from './profiles.ts';

/** An account as its owner sees it. */
export interface OwnUser extends PublicProfile {
  readonly kind: 'user' | 'guest';
  readonly role: UserRow['role'];
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly createdAt: string;
}

/** @throws Failure `message_blocked` for a name that moderation refuses */
export type JudgeName = (name: string, userId: string) => Promise<void>;

export interface ProfileChanges {
  readonly displayName?: string;
  /** An https URL; null removes it. */
  readonly avatarUrl?: string | null;
}

export interface UserService {
  readonly me: (userId: string) => Promise<OwnUser>;
  readonly update: (userId: string, changes: ProfileChanges) => Promise<OwnUser>;
  readonly get: (userId: string) => Promise<PublicProfile>;
  readonly search: (
    query: string,
    after: { username: string; id: string } | undefined,
    limit: number,
  ) => Promise<PublicProfile[]>;
}

export function toOwnUser(row: UserRow): OwnUser {
  const { id, username, displayName, avatarUrl, kind, role, email } = row;
  return {
    id,
    username,
    displayName,
    avatarUrl,
    kind,
    role,
    email,
    emailVerified: row.emailVerifiedAt !== null,
    createdAt: row.createdAt.toISOString(),
  };
}

export function createUserService({
  db,
  repository,
  profiles,
  judgeName,
}: {
  db: Database;
  repository: UserRepository;
  profiles: Profiles;
  judgeName: JudgeName;
}): UserService {
  const gone = () => new Failure('not_found', 'no such user');

  return {
    me: async (userId) => {
      const row = await repository.find(userId);
      if (!row) throw gone();
      return toOwnUser(row);
    },
    update: async (userId, { displayName, avatarUrl }) => {
      const changes = {
        ...(displayName === undefined ? {} : { displayName: requireDisplayName(displayName) }),
        ...(avatarUrl === undefined ? {} : { avatarUrl }),
      };
      if (changes.displayName !== undefined) await judgeName(changes.displayName, userId);
      const row =
        Object.keys(changes).length > 0 ? await repository.update(db, userId, changes) : await repository.find(userId);
      profiles.invalidate(userId);
      if (!row) throw gone();
      return toOwnUser(row);
    },
    get: async (userId) => {
      const profile = (await profiles.byIds([userId])).get(userId);
      if (!profile) throw gone();
      return profile;
    },
    search: async (query, after, limit) => {
      const rows = await repository.search(query, after, limit);
      return rows.map(({ id, username, displayName, avatarUrl }) => ({ id, username, displayName, avatarUrl }));
    },
  };
}

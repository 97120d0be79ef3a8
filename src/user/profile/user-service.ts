/** One's own profile and the public profiles of others. */
import type { Static } from 'typebox';
import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { UserRepository, UserRow } from '../account/user-repository.ts';
import { requireDisplayName } from '../account/user-text.ts';
import { type CustomStatus, requireStatus, type StatusBody, shownStatus } from '../status/custom-status.ts';
import type { PersonChanges } from '../status/person-changes.ts';
import type { FindPersonFacts } from '../status/person-facts.ts';
import type { Profiles, PublicProfile } from './profiles.ts';

/** An account as its owner sees it. */
export interface OwnUser extends PublicProfile {
  readonly kind: 'user' | 'guest';
  readonly role: UserRow['role'];
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly createdAt: string;
  readonly status: CustomStatus | null;
  /** Others see me as offline. */
  readonly invisible: boolean;
}

/** An account as others see it. */
export interface UserProfile extends PublicProfile {
  readonly status: CustomStatus | null;
}

/** @throws Failure `message_blocked` for a name that moderation refuses */
export type JudgeName = (name: string, userId: string) => Promise<void>;

/** @throws Failure `message_blocked` for a status that moderation refuses */
export type JudgeStatus = (text: string, userId: string) => Promise<void>;

export interface ProfileChanges {
  readonly displayName?: string;
  /** An https URL; null removes it. */
  readonly avatarUrl?: string | null;
  /** Null removes it. */
  readonly status?: Static<typeof StatusBody> | null;
  readonly invisible?: boolean;
}

export interface UserService {
  readonly me: (userId: string) => Promise<OwnUser>;
  readonly update: (userId: string, changes: ProfileChanges) => Promise<OwnUser>;
  /** @param askerId users blocked by the person do not see the status; undefined: a server asks */
  readonly get: (userId: string, askerId: string | undefined) => Promise<UserProfile>;
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
    status: shownStatus(row, Date.now()),
    invisible: row.invisible,
  };
}

export function createUserService({
  db,
  repository,
  profiles,
  findFacts,
  changes: personChanges,
  judgeName,
  judgeStatus,
  settings,
}: {
  db: Database;
  repository: UserRepository;
  profiles: Profiles;
  findFacts: FindPersonFacts;
  changes: Pick<PersonChanges, 'announce'>;
  judgeName: JudgeName;
  judgeStatus: JudgeStatus;
  settings: {
    /** Code points of the text of a custom status. */
    readonly statusMax: number;
  };
}): UserService {
  const gone = () => new Failure('not_found', 'no such user');

  /** Checks and judges the texts. @returns the columns to write */
  async function requireChanges(userId: string, { displayName, avatarUrl, status, invisible }: ProfileChanges) {
    const columns = {
      ...(displayName === undefined ? {} : { displayName: requireDisplayName(displayName) }),
      ...(avatarUrl === undefined ? {} : { avatarUrl }),
      ...(status === undefined ? {} : requireStatus(status, settings.statusMax, Date.now())),
      ...(invisible === undefined ? {} : { invisible }),
    };
    const { statusText = null } = columns as { statusText?: string | null };
    if (columns.displayName !== undefined) await judgeName(columns.displayName, userId);
    if (statusText !== null) await judgeStatus(statusText, userId);
    return columns;
  }

  return {
    me: async (userId) => {
      const row = await repository.find(userId);
      if (!row) throw gone();
      return toOwnUser(row);
    },
    update: async (userId, asked) => {
      const changes = await requireChanges(userId, asked);
      const row =
        Object.keys(changes).length > 0 ? await repository.update(db, userId, changes) : await repository.find(userId);
      profiles.invalidate(userId);
      if (!row) throw gone();
      if (asked.status !== undefined || asked.invisible !== undefined) personChanges.announce(userId);
      return toOwnUser(row);
    },
    get: async (userId, askerId) => {
      const [people, facts] = await Promise.all([profiles.byIds([userId]), findFacts(userId)]);
      const profile = people.get(userId);
      if (!profile || !facts) throw gone();
      const isHidden = askerId !== undefined && facts.blocked.has(askerId);
      return { ...profile, status: isHidden ? null : shownStatus(facts, Date.now()) };
    },
    search: async (query, after, limit) => {
      const rows = await repository.search(query, after, limit);
      return rows.map(({ id, username, displayName, avatarUrl }) => ({ id, username, displayName, avatarUrl }));
    },
  };
}

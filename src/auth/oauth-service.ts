/** Logging in through providers: an identity is (issuer, subject), and nothing else links it to an account. */
import { and, eq } from 'drizzle-orm';
import type { Database } from '../database/connect.ts';
import { isUniqueViolation } from '../database/database-errors.ts';
import { identities } from '../database/tables.ts';
import { Failure } from '../errors.ts';
import type { UserRepository, UserRow } from '../user/user-repository.ts';
import { requireDisplayName, requireUsername } from '../user/user-text.ts';
import type { AuthService, Login } from './auth-service.ts';
import type { ProvedIdentity } from './oauth-provider.ts';
import type { OneTimeTokens } from './one-time-tokens.ts';
import type { Device } from './session-store.ts';

export interface OAuthService {
  /** @returns a code that is good once, for a minute, at `exchange` */
  readonly codeFor: (identity: ProvedIdentity, providerName: string) => Promise<string>;
  readonly exchange: (code: string, device: Device) => Promise<Login>;
}

const codeLifetimeMs = 60_000;

export function createOAuthService({
  db,
  users,
  oneTimeTokens,
  auth,
}: {
  db: Database;
  users: UserRepository;
  oneTimeTokens: OneTimeTokens;
  auth: AuthService;
}): OAuthService {
  async function findUser({ issuer, subject }: ProvedIdentity): Promise<string | undefined> {
    const [row] = await db
      .select({ userId: identities.userId })
      .from(identities)
      .where(and(eq(identities.issuer, issuer), eq(identities.subject, subject)));
    return row?.userId;
  }

  /** A new account for a new identity. An address that somebody owns stays theirs: this account only mentions it. */
  async function createUser(identity: ProvedIdentity, provider: string): Promise<string> {
    const { issuer, subject, email } = identity;
    const owner = email === undefined ? undefined : await users.findVerifiedOwner(email);
    for (const username of usernamesFor(identity)) {
      try {
        return await db.transaction(async (tx) => {
          const user: UserRow = await users.create(tx, {
            username,
            displayName: displayNameFor(identity, username),
            kind: 'user',
            avatarUrl: identity.picture?.startsWith('https://') ? identity.picture : null,
            email: owner ? null : (email ?? null),
            emailVerified: !owner && identity.emailVerified,
          });
          await tx.insert(identities).values({ issuer, subject, userId: user.id, provider });
          return user.id;
        });
      } catch (error) {
        // The same person on another instance at the same moment.
        if (isUniqueViolation(error, 'identities')) return (await findUser(identity))!;
        if (!(error instanceof Failure && error.code === 'conflict')) throw error;
      }
    }
    throw new Failure('conflict', 'no username is free for this login');
  }

  return {
    codeFor: async (identity, providerName) => {
      const userId = (await findUser(identity)) ?? (await createUser(identity, providerName));
      return oneTimeTokens.issue(db, 'login_code', userId, {}, codeLifetimeMs);
    },
    exchange: async (code, device) => {
      const redeemed = await oneTimeTokens.redeem(db, 'login_code', code);
      const user = redeemed && (await users.find(redeemed.userId));
      if (!user) throw new Failure('unauthenticated', 'this code is not good, or was used');
      return auth.openLogin(user, device);
    },
  };
}

/** What the provider calls the person, made to fit; then the same with numbers; then anything. */
function* usernamesFor({ username, email, name }: ProvedIdentity): Generator<string> {
  const wish = (username ?? email?.split('@')[0] ?? name ?? 'user').normalize('NFKD').replace(/[^A-Za-z0-9_.-]+/g, '-');
  const base = wish
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 24)
    .padEnd(2, '0');
  const fitting = isUsername(base) ? base : 'user';
  if (fitting !== 'user') yield fitting;
  for (let attempt = 0; attempt < 5; attempt++) yield `${fitting}-${Math.floor(Math.random() * 36 ** 5).toString(36)}`;
}

function isUsername(text: string): boolean {
  try {
    requireUsername(text);
    return true;
  } catch {
    return false;
  }
}

function displayNameFor({ name }: ProvedIdentity, username: string): string {
  try {
    return requireDisplayName([...(name ?? username)].slice(0, 64).join(''));
  } catch {
    return username;
  }
}

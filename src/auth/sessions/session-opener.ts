/** Opens the session of a proved account: the last step of every login. */
import type { Database, Transaction } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import { lockAccount } from '../../user/account/account-lock.ts';
import type { UserRow } from '../../user/account/user-repository.ts';
import { type OwnUser, toOwnUser } from '../../user/profile/user-service.ts';
import type { AccessTokens } from '../credentials/access-tokens.ts';
import { requireMayLogIn } from './login-permission.ts';
import type { Revocations } from './revocations.ts';
import type { Device, OpenedSession, SessionStore } from './session-store.ts';
import type { TrustedDevices } from './trusted-devices.ts';

/** The answer to every login, registration and refresh. */
export interface Login {
  readonly user: OwnUser;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Lifetime of the access token in seconds. */
  readonly expiresIn: number;
}

/**
 * An account whose owner proved who they are, as it was read before the proof was checked. The session is opened only if
 * the password hash is still the same: a password change in between withdraws the proof.
 */
export type ProvedAccount = Pick<UserRow, 'id' | 'passwordHash'>;

export interface SessionOpener {
  /** @throws Failure `unauthenticated` if the account was erased or its password changed since the proof, `banned`, `forbidden` */
  readonly open: (account: ProvedAccount, device: Device) => Promise<Login>;
  /** Opens a session in the caller's transaction, which has just created the account. */
  readonly openIn: (tx: Transaction, userId: string, device: Device) => Promise<OpenedSession>;
  /** Signs an access token for an open session. */
  readonly toLogin: (user: UserRow, session: OpenedSession) => Login;
}

export function createSessionOpener({
  db,
  sessions,
  trustedDevices,
  accessTokens,
  revocations,
}: {
  db: Database;
  sessions: SessionStore;
  trustedDevices: TrustedDevices;
  accessTokens: AccessTokens;
  revocations: Revocations;
}): SessionOpener {
  function toLogin(user: UserRow, { sessionId, refreshToken }: OpenedSession): Login {
    const { id: userId, role, kind } = user;
    const { token, expiresInSeconds } = accessTokens.sign({ userId, sessionId, role, kind });
    return { user: toOwnUser(user), accessToken: token, refreshToken, expiresIn: expiresInSeconds };
  }

  async function openIn(tx: Transaction, userId: string, device: Device): Promise<OpenedSession> {
    const session = await sessions.open(tx, userId, device);
    await trustedDevices.remember(tx, userId, device.key);
    return session;
  }

  /**
   * Checks again under the account's lock what may have changed since the proof. A password change, an erasure and a ban
   * lock the account first, too: either they committed before and are seen here, or they end this session with the others.
   */
  async function open(account: ProvedAccount, device: Device): Promise<Login> {
    const { user, session } = await db.transaction(async (tx) => {
      const user = await lockAccount(tx, account.id, 'no key update');
      if (user.passwordHash !== account.passwordHash)
        throw new Failure('unauthenticated', 'the password was changed during this login: log in again');
      await requireMayLogIn(revocations, user, { byServer: device.isServer ?? false });
      return { user, session: await openIn(tx, user.id, device) };
    });
    return toLogin(user, session);
  }

  return { open, openIn, toLogin };
}

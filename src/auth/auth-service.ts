/** Signing up, logging in and out, and what mailed links do. Says nobody whether an account exists. */
import { eq } from 'drizzle-orm';
import type { Database, Transaction } from '../database/connect.ts';
import { users } from '../database/tables.ts';
import { Failure } from '../errors.ts';
import type { Caller } from '../http/caller.ts';
import type { UserRepository, UserRow } from '../user/user-repository.ts';
import { type JudgeName, type OwnUser, toOwnUser } from '../user/user-service.ts';
import { requireDisplayName, requireEmail, requireUsername } from '../user/user-text.ts';
import type { AccessTokens } from './access-tokens.ts';
import type { LoginThrottle } from './login-throttle.ts';
import type { OneTimeTokens } from './one-time-tokens.ts';
import { type Passwords, requirePassword } from './passwords.ts';
import type { Revocations } from './revocations.ts';
import type { Device, OpenedSession, SessionStore, SessionView } from './session-store.ts';

/** The answer to every way of logging in. */
export interface Login {
  readonly user: OwnUser;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Seconds that the access token is good for. */
  readonly expiresIn: number;
}

/** Mails about an account, owed in the transaction that causes them. */
export type OweAccountMail = (
  tx: Transaction,
  mail: { userId: string; to: string; kind: 'verify' | 'reset' | 'already_registered' },
) => Promise<void>;

export interface Registration {
  readonly username: string;
  readonly email: string;
  readonly password: string;
  readonly displayName?: string;
}

export interface AuthSettings {
  readonly guestsEnabled: boolean;
  readonly registrationEnabled: boolean;
  /** Verified addresses whose accounts are deployment admins, lower case. */
  readonly admins: ReadonlySet<string>;
  /** On an embedded database the first to register is the admin. */
  readonly firstUserIsAdmin: boolean;
}

export interface AuthService {
  readonly register: (registration: Registration, device: Device) => Promise<Login>;
  readonly login: (login: string, password: string, device: Device) => Promise<Login>;
  readonly guest: (displayName: string, device: Device) => Promise<Login>;
  readonly refresh: (refreshToken: string) => Promise<Login>;
  readonly logout: (caller: Caller) => Promise<void>;
  readonly listSessions: (userId: string) => Promise<SessionView[]>;
  readonly endSession: (userId: string, sessionId: string) => Promise<void>;
  readonly endAllSessions: (userId: string) => Promise<void>;
  readonly verifyEmail: (token: string) => Promise<void>;
  readonly forgotPassword: (email: string) => Promise<void>;
  readonly resetPassword: (token: string, password: string) => Promise<void>;
  /** Opens a login for someone who was proved elsewhere. */
  readonly openLogin: (user: UserRow, device: Device) => Promise<Login>;
}

export function createAuthService({
  db,
  users: repository,
  passwords,
  sessions,
  accessTokens,
  oneTimeTokens,
  revocations,
  throttle,
  judgeName,
  oweMail,
  onRevoked,
  settings,
}: {
  db: Database;
  users: UserRepository;
  passwords: Passwords;
  sessions: SessionStore;
  accessTokens: AccessTokens;
  oneTimeTokens: OneTimeTokens;
  revocations: Revocations;
  throttle: LoginThrottle;
  judgeName: JudgeName;
  oweMail: OweAccountMail;
  /** Other instances are told to look. */
  onRevoked: () => void;
  settings: AuthSettings;
}): AuthService {
  function toLogin(user: UserRow, { sessionId, refreshToken }: OpenedSession): Login {
    const { token, expiresInSeconds } = accessTokens.sign({
      userId: user.id,
      sessionId,
      role: user.role,
      kind: user.kind,
    });
    return { user: toOwnUser(user), accessToken: token, refreshToken, expiresIn: expiresInSeconds };
  }

  async function openLogin(user: UserRow, device: Device): Promise<Login> {
    await revocations.sync();
    if (revocations.bannedUntil(user.id) !== undefined) throw new Failure('banned', 'you are banned');
    return toLogin(user, await sessions.open(db, user.id, device));
  }

  /** What was ended here binds every request from now on, on every instance; sockets learn of it by a hint. */
  async function announceRevocation(): Promise<void> {
    onRevoked();
    await revocations.sync();
  }

  async function register({ username, email, password, displayName }: Registration, device: Device): Promise<Login> {
    if (!settings.registrationEnabled) throw new Failure('forbidden', 'registration is closed');
    const name = requireUsername(username);
    const address = requireEmail(email);
    const shownName = requireDisplayName(displayName ?? username);
    await requirePassword(password);
    await judgeName(name, '');
    if (shownName !== name) await judgeName(shownName, '');
    const passwordHash = await passwords.hash(password);
    const { user, session } = await db.transaction(async (tx) => {
      const created = await repository.create(tx, {
        username: name,
        displayName: shownName,
        kind: 'user',
        email: address,
        passwordHash,
      });
      const first = settings.firstUserIsAdmin && (await repository.isOnly(tx, created.id));
      const row = first ? (await repository.update(tx, created.id, { role: 'admin' }))! : created;
      // The owner of a taken address learns of it; whoever typed it does not.
      const owner = await repository.findVerifiedOwner(address);
      await oweMail(
        tx,
        owner
          ? { userId: owner.id, to: address, kind: 'already_registered' }
          : { userId: row.id, to: address, kind: 'verify' },
      );
      return { user: row, session: await sessions.open(tx, row.id, device) };
    });
    return toLogin(user, session);
  }

  async function login(name: string, password: string, device: Device): Promise<Login> {
    const attempt = throttle.begin(name, device.address);
    const user = name.isWellFormed() && !name.includes('\0') ? await repository.findByLogin(name) : undefined;
    const right = await passwords.verify(user?.passwordHash, password);
    if (!user || !right) throw new Failure('unauthenticated', 'wrong name or password');
    attempt.succeeded();
    return openLogin(user, device);
  }

  async function guest(displayName: string, device: Device): Promise<Login> {
    if (!settings.guestsEnabled) throw new Failure('forbidden', 'guests may not come in here');
    const name = requireDisplayName(displayName);
    await judgeName(name, '');
    for (let attempt = 1; ; attempt++) {
      const username = `guest-${Math.floor(Math.random() * 36 ** 8)
        .toString(36)
        .padStart(8, '0')}`;
      try {
        const user = await repository.create(db, { username, displayName: name, kind: 'guest' });
        return toLogin(user, await sessions.open(db, user.id, device));
      } catch (error) {
        if (attempt === 3 || !(error instanceof Failure && error.code === 'conflict')) throw error;
      }
    }
  }

  async function refresh(refreshToken: string): Promise<Login> {
    let session: Awaited<ReturnType<SessionStore['rotate']>>;
    try {
      session = await sessions.rotate(refreshToken);
    } catch (error) {
      if (error instanceof Failure && error.code === 'unauthenticated') await announceRevocation();
      throw error;
    }
    const user = await repository.find(session.userId);
    await revocations.sync();
    if (!user) throw new Failure('unauthenticated', 'the account is gone');
    if (revocations.bannedUntil(user.id) !== undefined) throw new Failure('banned', 'you are banned');
    return toLogin(user, session);
  }

  async function logout({ userId, sessionId }: Caller): Promise<void> {
    if (sessionId !== undefined) await endSession(userId, sessionId);
  }

  async function endSession(userId: string, sessionId: string): Promise<void> {
    const ended = await db.transaction((tx) => sessions.revoke(tx, userId, sessionId));
    if (!ended) throw new Failure('not_found', 'no such session');
    await announceRevocation();
  }

  async function verifyEmail(token: string): Promise<void> {
    const stale = new Failure('invalid', 'this link is no longer good', {
      errors: [{ path: 'token', message: 'is no longer good' }],
    });
    await db.transaction(async (tx) => {
      const redeemed = await oneTimeTokens.redeem(tx, 'verify_email', token);
      if (!redeemed) throw stale;
      const email = String(redeemed.data.email);
      // The account may have another address by now, and the address another owner.
      if (!(await repository.verifyEmail(tx, redeemed.userId, email))) throw stale;
      if (settings.admins.has(email.toLowerCase())) await repository.update(tx, redeemed.userId, { role: 'admin' });
    });
  }

  async function forgotPassword(email: string): Promise<void> {
    const address = requireEmail(email);
    const user = await repository.findByLogin(address);
    if (!user) return;
    await db.transaction((tx) => oweMail(tx, { userId: user.id, to: user.email!, kind: 'reset' }));
  }

  async function resetPassword(token: string, password: string): Promise<void> {
    await requirePassword(password);
    const passwordHash = await passwords.hash(password);
    await db.transaction(async (tx) => {
      const redeemed = await oneTimeTokens.redeem(tx, 'reset_password', token);
      if (!redeemed)
        throw new Failure('invalid', 'this link is no longer good', {
          errors: [{ path: 'token', message: 'is no longer good' }],
        });
      await tx.update(users).set({ passwordHash }).where(eq(users.id, redeemed.userId));
      await oneTimeTokens.withdraw(tx, 'reset_password', redeemed.userId);
      await sessions.revokeAll(tx, redeemed.userId);
    });
    await announceRevocation();
  }

  return {
    register,
    login,
    guest,
    refresh,
    logout,
    listSessions: sessions.list,
    endSession,
    endAllSessions: async (userId) => {
      await db.transaction((tx) => sessions.revokeAll(tx, userId));
      await announceRevocation();
    },
    verifyEmail,
    forgotPassword,
    resetPassword,
    openLogin,
  };
}

/** Signing up, logging in and out. Says nobody whether an account exists. */
import type { Database, Transaction } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { addressKey } from '../../http/server/app.ts';
import { lockAccount } from '../../user/account/account-lock.ts';
import type { OweAccountMail } from '../../user/account/account-notice.ts';
import type { UserRepository, UserRow } from '../../user/account/user-repository.ts';
import { type JudgeName, type OwnUser, toOwnUser } from '../../user/profile/user-service.ts';
import { type RequireUsername, requireDisplayName, requireEmail } from '../../user/profile/user-text.ts';
import type { FirstAdmin } from '../account/first-admin.ts';
import type { AccessTokens } from '../credentials/access-tokens.ts';
import { type Passwords, requirePassword } from '../credentials/passwords.ts';
import type { MfaChallenge } from '../mfa/mfa-challenge.ts';
import type { ProvedAccount } from '../sessions/proved-account.ts';
import type { Revocations } from '../sessions/revocations.ts';
import { lockSession } from '../sessions/session-lock.ts';
import type { Device, OpenedSession, SessionStore, SessionView } from '../sessions/session-store.ts';
import type { TrustedDevices } from '../sessions/trusted-devices.ts';
import type { LoginThrottle } from './login-throttle.ts';

/** The answer to every way of logging in. */
export interface Login {
  readonly user: OwnUser;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Seconds that the access token is good for. */
  readonly expiresIn: number;
}

export interface Registration {
  readonly username: string;
  readonly email: string;
  readonly password: string;
  readonly displayName?: string;
}

export interface LoginSettings {
  readonly guestsEnabled: boolean;
  readonly registrationEnabled: boolean;
}

export interface LoginService {
  /**
   * @param from.setupToken of a setup link: the account becomes the first admin, also where registration is closed
   * @param from.isLocal whether the caller is on this machine
   * @throws Failure `invalid` for a setup token that is not good; no account is made then
   */
  readonly register: (
    registration: Registration,
    device: Device,
    from: { readonly isLocal: boolean; readonly setupToken?: string | undefined },
  ) => Promise<Login>;
  /** Makes the caller's account the first admin by the token of a setup link. @throws Failure `invalid`, `forbidden` */
  readonly claimSetup: (caller: Caller, setupToken: string) => Promise<Login>;
  readonly login: (login: string, password: string, device: Device) => Promise<Login>;
  readonly guest: (displayName: string, device: Device) => Promise<Login>;
  readonly refresh: (refreshToken: string) => Promise<Login>;
  readonly logout: (caller: Caller) => Promise<void>;
  readonly listSessions: (userId: string) => Promise<SessionView[]>;
  readonly endSession: (userId: string, sessionId: string) => Promise<void>;
  /**
   * Ends every login, and the tokens that host applications issued until now.
   * @param keepCurrent what the caller came with goes on; of a host application's tokens those issued before it end
   */
  readonly endAllSessions: (caller: Caller, keepCurrent: boolean) => Promise<void>;
  /** Makes a guest's account a user's: it keeps its id, rooms and messages, and this login goes on. */
  readonly upgrade: (caller: Caller, registration: Registration) => Promise<Login>;
  /**
   * Opens a login for someone whose first step was proved elsewhere.
   * @throws Failure `second_factor_required`, `banned`
   */
  readonly openLogin: (user: UserRow, device: Device) => Promise<Login>;
  /** The same for someone who has taken every step. */
  readonly finishLogin: (account: ProvedAccount, device: Device) => Promise<Login>;
}

/** Stands for an account that is not there. */
const nobody = '00000000-0000-0000-0000-000000000000';

export function createLoginService({
  db,
  users: repository,
  passwords,
  sessions,
  accessTokens,
  trustedDevices,
  mfaChallenge,
  revocations,
  throttle,
  firstAdmin,
  judgeName,
  requireUsername,
  oweMail,
  onRevoked,
  onProfileChange,
  settings,
}: {
  db: Database;
  users: UserRepository;
  passwords: Passwords;
  sessions: SessionStore;
  accessTokens: AccessTokens;
  trustedDevices: TrustedDevices;
  mfaChallenge: MfaChallenge;
  revocations: Revocations;
  throttle: LoginThrottle;
  firstAdmin: FirstAdmin;
  judgeName: JudgeName;
  requireUsername: RequireUsername;
  oweMail: OweAccountMail;
  /** Other instances are told to look. */
  onRevoked: () => void;
  onProfileChange: (userId: string) => void;
  settings: LoginSettings;
}): LoginService {
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
    await requireNotBanned(user.id);
    await mfaChallenge.requireNone(user);
    return open(user, device);
  }

  /** A key with `sessions:write` must not become more than its scopes say. */
  function requireOwnStep({ role }: UserRow, byServer: boolean): void {
    if (byServer && role !== 'user')
      throw new Failure('forbidden', `a ${role} logs in themselves: no server opens or keeps a login for them`);
  }

  /**
   * Whatever was proved was proved a while ago. What may have ended it since (another password, an erasure, a ban) takes
   * the account's row first, as this does: it comes before and is seen here, or after and ends this login with the rest.
   */
  async function open(account: ProvedAccount, device: Device): Promise<Login> {
    const { user, session } = await db.transaction(async (tx) => {
      const user = await lockAccount(tx, account.id, 'no key update');
      if (user.passwordHash !== account.passwordHash)
        throw new Failure('unauthenticated', 'the password was changed meanwhile: log in again');
      await requireNotBanned(user.id);
      requireOwnStep(user, device.isServer ?? false);
      const session = await sessions.open(tx, user.id, device);
      await trustedDevices.remember(tx, user.id, device.key);
      return { user, session };
    });
    return toLogin(user, session);
  }

  async function requireNotBanned(userId: string): Promise<void> {
    await revocations.sync();
    if (revocations.bannedUntil(userId) !== undefined) throw new Failure('banned', 'you are banned');
  }

  /** What was ended here binds every request from now on, on every instance; sockets learn of it by a hint. */
  async function announceRevocation(): Promise<void> {
    onRevoked();
    await revocations.sync();
  }

  /** What is asked of everybody who wants an account of their own. */
  async function checkRegistration({ username, email, password, displayName }: Registration, userId: string) {
    const account = {
      username: requireUsername(username),
      email: requireEmail(email),
      displayName: requireDisplayName(displayName ?? username),
    };
    await requirePassword(password);
    await judgeName(account.username, userId);
    if (account.displayName !== account.username) await judgeName(account.displayName, userId);
    return { ...account, passwordHash: await passwords.hash(password) };
  }

  /** The owner of a taken address learns of it; whoever typed it does not. */
  async function oweWelcome(tx: Transaction, userId: string, address: string): Promise<void> {
    const owner = await repository.findVerifiedOwner(address);
    await oweMail(
      tx,
      owner ? { userId: owner.id, to: address, kind: 'already_registered' } : { userId, to: address, kind: 'verify' },
    );
  }

  function requireOpenRegistration(): void {
    if (!settings.registrationEnabled) throw new Failure('forbidden', 'registration is closed');
  }

  const register: LoginService['register'] = async (registration, device, { isLocal, setupToken }) => {
    if (setupToken === undefined) requireOpenRegistration();
    const account = await checkRegistration(registration, '');
    const { user, session } = await db.transaction(async (tx) => {
      const created = await repository.create(tx, { ...account, kind: 'user' });
      const row =
        setupToken === undefined
          ? await firstAdmin.welcomeFirst(tx, created, isLocal)
          : await firstAdmin.redeem(tx, setupToken, created.id);
      await oweWelcome(tx, row.id, account.email);
      const opened = await sessions.open(tx, row.id, device);
      await trustedDevices.remember(tx, row.id, device.key);
      return { user: row, session: opened };
    });
    return toLogin(user, session);
  };

  async function claimSetup(caller: Caller, setupToken: string): Promise<Login> {
    const { sessionId, kind } = caller;
    if (sessionId === undefined || kind !== 'user')
      throw new Failure('forbidden', 'only an account with a login of its own becomes the admin');
    const { user, session } = await db.transaction(async (tx) => {
      await lockSession(tx, caller);
      const row = await firstAdmin.redeem(tx, setupToken, caller.userId);
      // The tokens of before say another role.
      return { user: row, session: await sessions.reissue(tx, sessionId) };
    });
    onProfileChange(user.id);
    return toLogin(user, session);
  }

  async function upgrade({ userId, sessionId }: Caller, registration: Registration): Promise<Login> {
    if (sessionId === undefined) throw new Failure('forbidden', 'this account belongs to another application');
    requireOpenRegistration();
    const account = await checkRegistration(registration, userId);
    const { user, session } = await db.transaction(async (tx) => {
      const row = await repository.upgrade(tx, userId, account);
      if (!row) throw new Failure('conflict', 'only a guest becomes a user');
      await oweWelcome(tx, userId, account.email);
      return { user: row, session: await sessions.reissue(tx, sessionId) };
    });
    onProfileChange(userId);
    return toLogin(user, session);
  }

  /** @returns the account as it is once its hash is of today's form; undefined for a wrong password */
  async function provePassword(user: UserRow | undefined, password: string): Promise<UserRow | undefined> {
    const match = await passwords.match(user?.passwordHash, password);
    if (!user || match === 'wrong') return undefined;
    if (match === 'right') return user;
    const renewed = await repository.replaceHash(user.id, {
      from: user.passwordHash!,
      to: await passwords.hash(password),
    });
    if (renewed) return renewed;
    // Another login of the same moment has renewed it, or the password was changed.
    const current = await repository.find(user.id);
    return (await passwords.verify(current?.passwordHash, password)) ? current : undefined;
  }

  async function login(typed: string, password: string, device: Device): Promise<Login> {
    const name = typed.trim();
    const user = name.isWellFormed() && !name.includes('\0') ? await repository.findByLogin(name) : undefined;
    // The same questions for somebody and for nobody.
    const attempt = await throttle.begin({
      name,
      address: addressKey(device.address ?? ''),
      knownDevice: await trustedDevices.find(user?.id ?? nobody, device.key),
    });
    const proved = await provePassword(user, password);
    if (!proved) throw new Failure('unauthenticated', 'wrong name or password');
    await attempt.succeeded();
    return openLogin(proved, device);
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
        return await open(user, device);
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
    if (!user) throw new Failure('unauthenticated', 'the account is gone');
    await requireNotBanned(user.id);
    requireOwnStep(user, session.byServer);
    return toLogin(user, session);
  }

  async function logout({ userId, sessionId, kind }: Caller): Promise<void> {
    if (sessionId !== undefined) return endSession(userId, sessionId);
    if (kind !== 'host') return;
    // Such a login is known by nothing but when its token was made, and nothing of before is to open the account again.
    await db.transaction((tx) => sessions.endHostTokens(tx, userId));
    await announceRevocation();
  }

  async function endAllSessions({ userId, sessionId, issuedAt }: Caller, keepCurrent: boolean): Promise<void> {
    const until = keepCurrent && issuedAt !== undefined ? issuedAt - 1 : undefined;
    await db.transaction((tx) => sessions.revokeAll(tx, userId, keepCurrent ? sessionId : undefined, until));
    await announceRevocation();
  }

  async function endSession(userId: string, sessionId: string): Promise<void> {
    const ended = await db.transaction((tx) => sessions.revoke(tx, userId, sessionId));
    if (!ended) throw new Failure('not_found', 'no such session');
    await announceRevocation();
  }

  return {
    register,
    claimSetup,
    login,
    guest,
    refresh,
    logout,
    listSessions: sessions.list,
    endSession,
    endAllSessions,
    upgrade,
    openLogin,
    finishLogin: open,
  };
}

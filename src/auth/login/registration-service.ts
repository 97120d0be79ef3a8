/** Signing up: users, guests, guests who become users, and the first admin. */
import type { Database, Transaction } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import type { OweAccountMail } from '../../user/account/account-notice.ts';
import type { UserRepository, UserRow } from '../../user/account/user-repository.ts';
import { type RequireUsername, requireDisplayName, requireEmail } from '../../user/account/user-text.ts';
import type { JudgeName } from '../../user/profile/user-service.ts';
import type { FirstAdmin } from '../account/first-admin.ts';
import { type Passwords, requirePassword } from '../credentials/passwords.ts';
import { lockSession } from '../sessions/session-lock.ts';
import type { Login, SessionOpener } from '../sessions/session-opener.ts';
import type { Device, SessionStore } from '../sessions/session-store.ts';

export interface Registration {
  readonly username: string;
  readonly email: string;
  readonly password: string;
  readonly displayName?: string;
}

export interface RegistrationSettings {
  readonly guestsEnabled: boolean;
  readonly registrationEnabled: boolean;
}

export interface RegistrationService {
  /**
   * @param from.setupToken from a setup link: the account becomes the first admin, even if registration is closed
   * @param from.isLocal whether the request comes from this machine
   * @throws Failure `invalid`, also for a stale setup token, `conflict`, `forbidden`, `message_blocked`; no account is created
   */
  readonly register: (
    registration: Registration,
    device: Device,
    from: { readonly isLocal: boolean; readonly setupToken?: string | undefined },
  ) => Promise<Login>;
  /** Makes the caller's account the first admin. @throws Failure `invalid` for a stale token, `forbidden` */
  readonly claimSetup: (caller: Caller, setupToken: string) => Promise<Login>;
  /** @throws Failure `forbidden`, `invalid`, `message_blocked` */
  readonly guest: (displayName: string, device: Device) => Promise<Login>;
  /** Makes a guest a user, who keeps the id, rooms, messages and session. @throws Failure `conflict`, `forbidden`, `invalid`, `message_blocked` */
  readonly upgrade: (caller: Caller, registration: Registration) => Promise<Login>;
}

/** Random usernames tried for one guest. */
const guestNameTries = 3;

export function createRegistrationService({
  db,
  users,
  passwords,
  sessions,
  opener,
  firstAdmin,
  judgeName,
  requireUsername,
  oweMail,
  onProfileChange,
  settings,
}: {
  db: Database;
  users: UserRepository;
  passwords: Passwords;
  sessions: SessionStore;
  opener: SessionOpener;
  firstAdmin: FirstAdmin;
  judgeName: JudgeName;
  requireUsername: RequireUsername;
  oweMail: OweAccountMail;
  onProfileChange: (userId: string) => void;
  settings: RegistrationSettings;
}): RegistrationService {
  const register: RegistrationService['register'] = async (registration, device, { isLocal, setupToken }) => {
    if (setupToken === undefined) requireOpenRegistration();
    const account = await checkRegistration(registration, '');
    const { user, session } = await db.transaction(async (tx) => {
      const created = await users.create(tx, { ...account, kind: 'user' });
      const user =
        setupToken === undefined
          ? await firstAdmin.welcomeFirst(tx, created, isLocal)
          : await firstAdmin.redeem(tx, setupToken, created.id);
      await oweVerification(tx, user.id, account.email);
      return { user, session: await opener.openIn(tx, user.id, device) };
    });
    return opener.toLogin(user, session);
  };

  async function claimSetup(caller: Caller, setupToken: string): Promise<Login> {
    const { sessionId, kind } = caller;
    if (sessionId === undefined || kind !== 'user')
      throw new Failure('forbidden', 'only a user with a session of their own can become the admin');
    const { user, session } = await db.transaction(async (tx) => {
      await lockSession(tx, caller);
      const user = await firstAdmin.redeem(tx, setupToken, caller.userId);
      // The caller's present tokens contain the old role.
      return { user, session: await sessions.reissue(tx, sessionId) };
    });
    onProfileChange(user.id);
    return opener.toLogin(user, session);
  }

  async function upgrade({ userId, sessionId }: Caller, registration: Registration): Promise<Login> {
    if (sessionId === undefined) throw new Failure('forbidden', 'this account belongs to another application');
    requireOpenRegistration();
    const account = await checkRegistration(registration, userId);
    const { user, session } = await db.transaction(async (tx) => {
      const user = await users.upgrade(tx, userId, account);
      if (!user) throw new Failure('conflict', 'only a guest can become a user');
      await oweVerification(tx, userId, account.email);
      return { user, session: await sessions.reissue(tx, sessionId) };
    });
    onProfileChange(userId);
    return opener.toLogin(user, session);
  }

  async function guest(displayName: string, device: Device): Promise<Login> {
    if (!settings.guestsEnabled) throw new Failure('forbidden', 'guests are not allowed here');
    const name = requireDisplayName(displayName);
    await judgeName(name, '');
    for (let attempt = 1; ; attempt++) {
      try {
        const user = await users.create(db, { username: drawGuestName(), displayName: name, kind: 'guest' });
        return await opener.open(user, device);
      } catch (error) {
        const isTaken = error instanceof Failure && error.code === 'conflict';
        if (attempt === guestNameTries || !isTaken) throw error;
      }
    }
  }

  function requireOpenRegistration(): void {
    if (!settings.registrationEnabled) throw new Failure('forbidden', 'registration is closed');
  }

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

  /** If somebody else has verified the address, only they are told: the caller must not learn that it is taken. */
  async function oweVerification(tx: Transaction, userId: string, address: string): Promise<void> {
    const owner: UserRow | undefined = await users.findVerifiedOwner(address);
    await oweMail(
      tx,
      owner ? { userId: owner.id, to: address, kind: 'already_registered' } : { userId, to: address, kind: 'verify' },
    );
  }

  return { register, claimSetup, guest, upgrade };
}

function drawGuestName(): string {
  const digits = Math.floor(Math.random() * 36 ** 8).toString(36);
  return `guest-${digits.padStart(8, '0')}`;
}

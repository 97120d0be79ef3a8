/** Logging in by password. The answers do not reveal whether an account exists. */

import { Failure } from '../../errors.ts';
import { addressKey } from '../../http/server/address-limit.ts';
import type { UserRepository, UserRow } from '../../user/account/user-repository.ts';
import type { Passwords } from '../credentials/passwords.ts';
import type { MfaChallenge } from '../mfa/mfa-challenge.ts';
import { requireMayLogIn } from '../sessions/login-permission.ts';
import type { Revocations } from '../sessions/revocations.ts';
import type { Login, SessionOpener } from '../sessions/session-opener.ts';
import type { Device } from '../sessions/session-store.ts';
import type { TrustedDevices } from '../sessions/trusted-devices.ts';
import type { LoginThrottle } from './login-throttle.ts';

export interface LoginService {
  /**
   * @param login a username or an e-mail address
   * @throws Failure `unauthenticated`, `rate_limited`, `second_factor_required`, `banned`
   */
  readonly login: (login: string, password: string, device: Device) => Promise<Login>;
  /**
   * Opens a session after the first step was proved, by a password or a provider.
   * @throws Failure `second_factor_required` with a challenge, `banned`
   */
  readonly openLogin: (user: UserRow, device: Device) => Promise<Login>;
}

/** The id of no account: a login to an unknown name runs the same queries as one to a known name. */
const nobody = '00000000-0000-0000-0000-000000000000';

export function createLoginService({
  users,
  passwords,
  opener,
  trustedDevices,
  mfaChallenge,
  revocations,
  throttle,
}: {
  users: UserRepository;
  passwords: Passwords;
  opener: SessionOpener;
  trustedDevices: TrustedDevices;
  mfaChallenge: MfaChallenge;
  revocations: Revocations;
  throttle: LoginThrottle;
}): LoginService {
  async function login(typed: string, password: string, device: Device): Promise<Login> {
    const name = typed.trim();
    const user = name.isWellFormed() && !name.includes('\0') ? await users.findByLogin(name) : undefined;
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

  /** @returns the account, with its hash renewed if that had an outdated form; undefined for a wrong password */
  async function provePassword(user: UserRow | undefined, password: string): Promise<UserRow | undefined> {
    const match = await passwords.match(user?.passwordHash, password);
    if (!user || match === 'wrong') return undefined;
    return match === 'right' ? user : renewHash(user, password);
  }

  async function renewHash(user: UserRow, password: string): Promise<UserRow | undefined> {
    const renewed = await users.replaceHash(user.id, {
      from: user.passwordHash!,
      to: await passwords.hash(password),
    });
    if (renewed) return renewed;
    // A concurrent login has renewed the hash, or the password was changed.
    const current = await users.find(user.id);
    return (await passwords.verify(current?.passwordHash, password)) ? current : undefined;
  }

  async function openLogin(user: UserRow, device: Device): Promise<Login> {
    await requireMayLogIn(revocations, user, { byServer: false });
    await mfaChallenge.requireNone(user);
    return opener.open(user, device);
  }

  return { login, openLogin };
}

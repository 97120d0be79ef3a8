/** A person's own second factors: who may change them, and the notices of what was changed. */
import type { PublicKeyCredentialCreationOptionsJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { requireLine } from '../../http/input/line-text.ts';
import { requireDeployment } from '../../permissions.ts';
import type { OweAccountMail } from '../../user/account/account-notice.ts';
import { oweNotice } from '../../user/account/account-notice.ts';
import type { UserRepository, UserRow } from '../../user/account/user-repository.ts';
import type { LoginMethods } from '../credentials/login-methods.ts';
import { lockSession } from '../sessions/session-lock.ts';
import type { MfaChallenge } from './mfa-challenge.ts';
import type { FactorMethod, FactorOverview, FactorView, MfaFactors } from './mfa-factors.ts';
import type { Ceremony, Passkeys } from './passkeys.ts';

/** Each throws Failure `forbidden` for guests and for accounts of other applications. */
export interface MfaService {
  readonly overview: (caller: Caller) => Promise<{ methods: readonly FactorMethod[]; overview: FactorOverview }>;
  /** @throws Failure `step_up_required`, `conflict` when one-time passwords are on */
  readonly beginTotp: (caller: Caller) => Promise<{ secret: string; uri: string }>;
  readonly confirmTotp: (caller: Caller, code: string) => Promise<readonly string[] | undefined>;
  /** @throws Failure `step_up_required` */
  readonly beginPasskey: (caller: Caller) => Promise<Ceremony<PublicKeyCredentialCreationOptionsJSON>>;
  readonly keepPasskey: (
    caller: Caller,
    answer: { ceremony: string; response: RegistrationResponseJSON; name: string },
  ) => Promise<{ id: string; recoveryCodes: readonly string[] | undefined }>;
  readonly rename: (caller: Caller, factorId: string, name: string) => Promise<FactorView>;
  /** @throws Failure `step_up_required`, `not_found`, `conflict` when the person could not log in without it */
  readonly remove: (caller: Caller, factorId: string) => Promise<void>;
  /** @throws Failure `step_up_required`, `conflict` */
  readonly renewRecoveryCodes: (caller: Caller) => Promise<readonly string[]>;
}

/** Code points of a factor's name. */
const nameMax = 64;
const requireName = (name: string) => requireLine(name, '/name', { max: nameMax });

export function createMfaService({
  db,
  users,
  factors,
  passkeys,
  mfaChallenge,
  loginMethods,
  oweMail,
}: {
  db: Database;
  users: UserRepository;
  factors: MfaFactors;
  passkeys: Passkeys;
  mfaChallenge: MfaChallenge;
  loginMethods: LoginMethods;
  oweMail: OweAccountMail;
}): MfaService {
  async function requireAccount(caller: Caller): Promise<UserRow> {
    requireDeployment(caller, 'secure_account');
    const user = await users.find(caller.userId);
    if (!user) throw new Failure('unauthenticated', 'the account is gone');
    if (caller.sessionId === undefined)
      throw new Failure('forbidden', 'this account is looked after by the application that you come from');
    return user;
  }

  async function requireFreshAccount(caller: Caller): Promise<UserRow> {
    const user = await requireAccount(caller);
    await mfaChallenge.requireFresh(caller);
    return user;
  }

  return {
    overview: async (caller) => {
      const { id } = await requireAccount(caller);
      const [methods, overview] = await Promise.all([factors.methodsOf(id), factors.overview(id)]);
      return { methods, overview };
    },
    beginTotp: async (caller) => {
      const { username } = await requireFreshAccount(caller);
      return factors.beginTotp(caller, username);
    },
    confirmTotp: async (caller, code) => {
      await requireAccount(caller);
      return factors.confirmTotp(caller, code);
    },
    beginPasskey: async (caller) => passkeys.beginRegistration(await requireFreshAccount(caller)),
    keepPasskey: async (caller, { name, ...answer }) => {
      await requireAccount(caller);
      return passkeys.finishRegistration(caller, { ...answer, name: requireName(name) });
    },
    rename: async (caller, factorId, name) =>
      factors.rename((await requireAccount(caller)).id, factorId, requireName(name)),
    remove: async (caller, factorId) => {
      await requireFreshAccount(caller);
      await db.transaction(async (tx) => {
        const user = await lockSession(tx, caller);
        await loginMethods.requireAnother(tx, user, { factorId });
        await factors.remove(tx, user.id, factorId);
        await oweNotice(tx, user, { oweMail, kind: 'factor_removed' });
      });
    },
    renewRecoveryCodes: async (caller) => {
      await requireFreshAccount(caller);
      return factors.renewRecoveryCodes(caller);
    },
  };
}

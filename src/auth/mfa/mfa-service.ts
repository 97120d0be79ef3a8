/** Changes to one's own second factors: checks who may make them and owes the notice about each. */
import type { PublicKeyCredentialCreationOptionsJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import type { Database } from '../../database/connect.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { requireLine } from '../../http/input/line-text.ts';
import type { OweAccountMail } from '../../user/account/account-notice.ts';
import { oweNotice } from '../../user/account/account-notice.ts';
import { requireOwnAccount } from '../../user/account/own-account.ts';
import type { UserRepository, UserRow } from '../../user/account/user-repository.ts';
import type { LoginMethods } from '../credentials/login-methods.ts';
import { lockSession } from '../sessions/session-lock.ts';
import type { FactorMethod, FactorOverview, FactorView, MfaFactors } from './mfa-factors.ts';
import type { Ceremony, Passkeys } from './passkeys.ts';
import { requireSession, type StepUp } from './step-up.ts';
import type { TotpFactor } from './totp-factor.ts';

/** Each method throws Failure `forbidden` for guests and for users of host applications. */
export interface MfaService {
  readonly overview: (caller: Caller) => Promise<{ methods: readonly FactorMethod[]; overview: FactorOverview }>;
  /** @throws Failure `step_up_required`, `conflict` if an app is set up */
  readonly beginTotp: (caller: Caller) => Promise<{ secret: string; uri: string }>;
  readonly confirmTotp: (caller: Caller, code: string) => Promise<readonly string[] | undefined>;
  /** @throws Failure `step_up_required` */
  readonly beginPasskey: (caller: Caller) => Promise<Ceremony<PublicKeyCredentialCreationOptionsJSON>>;
  readonly keepPasskey: (
    caller: Caller,
    answer: { ceremony: string; response: RegistrationResponseJSON; name: string },
  ) => Promise<{ id: string; recoveryCodes: readonly string[] | undefined }>;
  readonly rename: (caller: Caller, factorId: string, name: string) => Promise<FactorView>;
  /** @throws Failure `step_up_required`, `not_found`, `conflict` if it is the account's last login method */
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
  totp,
  passkeys,
  stepUp,
  loginMethods,
  oweMail,
}: {
  db: Database;
  users: UserRepository;
  factors: MfaFactors;
  totp: TotpFactor;
  passkeys: Passkeys;
  stepUp: Pick<StepUp, 'requireFresh'>;
  loginMethods: LoginMethods;
  oweMail: OweAccountMail;
}): MfaService {
  async function requireAccount(caller: Caller): Promise<UserRow> {
    const user = await requireOwnAccount(users, caller);
    requireSession(caller);
    return user;
  }

  async function requireFreshAccount(caller: Caller): Promise<UserRow> {
    const user = await requireAccount(caller);
    await stepUp.requireFresh(caller);
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
      return totp.begin(caller, username);
    },
    confirmTotp: async (caller, code) => {
      await requireAccount(caller);
      return totp.confirm(caller, code);
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

/** Signing up and logging in, by every login method. Each call that logs in keeps the login on this device. */

import type { Login, OwnUser } from '../types.ts';
import { createProviderLogins } from './provider-login.ts';
import { type Call, callOnce, type Server } from './rest.ts';
import type { LoginStorage, Session } from './session.ts';

/** The answer of an authenticator, as JSON, with the ceremony that it belongs to. */
export interface PasskeyAnswer {
  readonly ceremony: string;
  readonly response: unknown;
}

export type SecondFactorProof = { readonly code: string } | { readonly passkey: PasskeyAnswer };

export interface NewAccount {
  readonly username: string;
  readonly email: string;
  readonly password: string;
  readonly displayName?: string;
}

export interface LoginCalls {
  /** @param account.setupToken from a setup link: the account becomes the first admin */
  readonly register: (account: NewAccount & { readonly setupToken?: string }) => Promise<OwnUser>;
  /** Makes the account of this device the first admin, by the token of a setup link. */
  readonly claimSetup: (setupToken: string) => Promise<OwnUser>;
  /**
   * @throws ParleyError `second_factor_required` with `details.challenge` and `details.methods` where the account has an MFA challenge:
   *   go on with `secondFactor`
   */
  readonly login: (name: string, password: string) => Promise<OwnUser>;
  /** Answers the MFA challenge of a login, by a code of an authenticator app, a recovery code or a passkey. */
  readonly secondFactor: (challenge: string, proof: SecondFactorProof) => Promise<OwnUser>;
  /** Logs in by a passkey alone; begin with `POST /v1/auth/passkey/options`. */
  readonly passkey: (answer: PasskeyAnswer) => Promise<OwnUser>;
  /** Makes the guest of this device a user, who keeps rooms and messages. */
  readonly upgrade: (account: NewAccount) => Promise<OwnUser>;
  readonly guest: (displayName: string) => Promise<OwnUser>;
  /**
   * Begins a login through a provider, bound to this tab.
   * @param returnTo the page that takes the code; default: this one
   * @returns where the browser is to go: `location.assign(await parley.beginProviderLogin('google'))`
   */
  readonly beginProviderLogin: (provider: string, returnTo?: string) => Promise<string>;
  /**
   * Takes the code that a login through a provider came back with.
   * @throws ParleyError `unauthenticated` for a code that has expired, or of a login that this tab did not begin
   */
  readonly exchangeCode: (code: string) => Promise<OwnUser>;
}

export function createLoginCalls({
  server,
  session,
  call,
  tabStorage,
}: {
  server: Server;
  session: Session;
  call: Call;
  /** Where a login through a provider is remembered until it comes back. */
  tabStorage: () => LoginStorage;
}): LoginCalls {
  const providerLogins = createProviderLogins(server.url, tabStorage);

  async function logIn(path: string, body: unknown): Promise<OwnUser> {
    const login = await callOnce<Login>(server, { method: 'POST', path, body });
    session.keep(login);
    return login.user;
  }

  /** Changes the account of this device's login, and keeps the login that comes of it. */
  async function become(path: string, body: unknown): Promise<OwnUser> {
    const login = await call<Login>('POST', path, body);
    session.keep(login);
    return login.user;
  }

  return {
    register: (account) => logIn('/v1/auth/register', account),
    login: (name, password) => logIn('/v1/auth/login', { login: name, password }),
    secondFactor: (challenge, proof) => logIn('/v1/auth/second-factor', { challenge, ...proof }),
    passkey: (answer) => logIn('/v1/auth/passkey', answer),
    claimSetup: (setupToken) => become('/v1/auth/setup', { setupToken }),
    upgrade: (account) => become('/v1/auth/upgrade', account),
    guest: (displayName) => logIn('/v1/auth/guest', { displayName }),
    beginProviderLogin: (provider, returnTo = location.origin + location.pathname) =>
      providerLogins.begin(provider, returnTo),
    exchangeCode: async (code) => logIn('/v1/auth/oauth/token', providerLogins.finish(code)),
  };
}

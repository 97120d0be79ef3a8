/** Wires the logins of Parley's own accounts: tokens and cookies, sessions, passwords and second factors. */

import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import { accountRoutes } from '../../auth/account/account-routes.ts';
import { createAddressService } from '../../auth/account/address-service.ts';
import { createFirstAdmin, type FirstAdmin } from '../../auth/account/first-admin.ts';
import { createMailedLinks } from '../../auth/account/mailed-links.ts';
import { createPasswordService } from '../../auth/account/password-service.ts';
import { createPendingChanges } from '../../auth/account/pending-changes.ts';
import { recoveryRoutes } from '../../auth/account/recovery-routes.ts';
import { type AccessTokens, createAccessTokens } from '../../auth/credentials/access-tokens.ts';
import { createLoginMethods, type LoginMethods } from '../../auth/credentials/login-methods.ts';
import { createOneTimeTokens, type OneTimeTokens } from '../../auth/credentials/one-time-tokens.ts';
import { createPasswords, type Passwords } from '../../auth/credentials/passwords.ts';
import { createSecretCipher, type SecretCipher } from '../../auth/credentials/secret-encryption.ts';
import { type SigningKeys, startSigningKeys } from '../../auth/credentials/signing-keys.ts';
import { loginRoutes } from '../../auth/login/login-routes.ts';
import { createLoginService, type LoginService } from '../../auth/login/login-service.ts';
import { createLoginThrottle } from '../../auth/login/login-throttle.ts';
import { registrationRoutes } from '../../auth/login/registration-routes.ts';
import { createRegistrationService, type RegistrationService } from '../../auth/login/registration-service.ts';
import { createFactorProofs } from '../../auth/mfa/factor-proofs.ts';
import { factorRoutes } from '../../auth/mfa/factor-routes.ts';
import { createMfaChallenge } from '../../auth/mfa/mfa-challenge.ts';
import { createMfaFactors } from '../../auth/mfa/mfa-factors.ts';
import { mfaLoginRoutes } from '../../auth/mfa/mfa-login-routes.ts';
import { createMfaService } from '../../auth/mfa/mfa-service.ts';
import { createPasskeys, relyingPartyOf } from '../../auth/mfa/passkeys.ts';
import { createStepUp, type StepUp } from '../../auth/mfa/step-up.ts';
import { stepUpRoutes } from '../../auth/mfa/step-up-routes.ts';
import { createTotpFactor } from '../../auth/mfa/totp-factor.ts';
import type { Revocations } from '../../auth/sessions/revocations.ts';
import { createSessionCookies, type SessionCookies } from '../../auth/sessions/session-cookies.ts';
import { createSessionOpener, type SessionOpener } from '../../auth/sessions/session-opener.ts';
import { sessionRoutes } from '../../auth/sessions/session-routes.ts';
import { createSessionService } from '../../auth/sessions/session-service.ts';
import { createSessionStore, type SessionStore } from '../../auth/sessions/session-store.ts';
import { createTrustedDevices, type TrustedDevices } from '../../auth/sessions/trusted-devices.ts';
import type { Config } from '../../config/load.ts';
import type { Database } from '../../database/connect.ts';
import { logLevelOf } from '../../database/database-errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import { isLocalCaller, isLoopbackHost } from '../../http/caller/local-caller.ts';
import type { PageOrigins } from '../../http/caller/page-origins.ts';
import type { RateCounters } from '../../http/limits/rate-counters.ts';
import type { App } from '../../http/server/app-type.ts';
import { oweAccountMail } from '../../jobs/mail/account-mail.ts';
import type { FrameHandlers } from '../../realtime/gateway/frame-handlers.ts';
import { refreshFrames } from '../../realtime/gateway/refresh-frame.ts';
import { type OweAccountMail, oweNotice } from '../../user/account/account-notice.ts';
import type { UserRepository } from '../../user/account/user-repository.ts';
import { createUsernameRule, toAsciiDomain } from '../../user/account/user-text.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { JudgeName } from '../../user/profile/user-service.ts';
import type { RoleContext } from '../lifecycle/role-lifecycle.ts';

export interface LoginOptions extends Pick<RoleContext, 'config' | 'logger'> {
  readonly tokens: LoginTokens;
  readonly authenticator: Authenticator;
  readonly db: Database;
  /** Whether the database is Parley's own. */
  readonly embedded: boolean;
  readonly publicUrl: string;
  readonly users: UserRepository;
  readonly profiles: Profiles;
  readonly revocations: Revocations;
  readonly counters: RateCounters;
  readonly judgeName: JudgeName;
  readonly secretCipher: SecretCipher;
  /** Tells other instances to read the revocations. */
  readonly onRevoked: () => void;
}

/** Tokens and cookies; the authenticator is created with them. */
export interface LoginTokens {
  readonly keys: SigningKeys;
  readonly accessTokens: AccessTokens;
  readonly cookies: SessionCookies;
}

export interface Logins {
  readonly auth: LoginService;
  readonly opener: SessionOpener;
  readonly firstAdmin: FirstAdmin;
  readonly oneTimeTokens: OneTimeTokens;
  readonly passwords: Passwords;
  readonly secretCipher: SecretCipher;
  readonly stepUp: StepUp;
  readonly sessions: SessionStore;
  readonly loginMethods: LoginMethods;
  /** Registered under `/v1`. */
  readonly routes: FastifyPluginAsync;
  readonly frames: FrameHandlers;
  readonly stop: () => void;
}

const minuteMs = 60_000;
const sweepMs = 10 * minuteMs;

export async function startLoginTokens({
  config,
  logger,
  app,
  db,
  publicUrl,
  origins,
}: Pick<LoginOptions, 'config' | 'logger' | 'db' | 'publicUrl'> & {
  app: App;
  origins: PageOrigins;
}): Promise<LoginTokens> {
  const { auth } = config;
  const keys = await startSigningKeys({
    db,
    logger,
    settings: {
      secret: auth.jwtSecret,
      rotationMs: auth.keyRotation,
      overlapMs: auth.keyOverlap,
      verifyMs: auth.accessTokenLifetime + auth.clockLeeway + minuteMs,
    },
  });
  const accessTokens = await createAccessTokens({
    app,
    keys,
    settings: {
      lifetimeMs: auth.accessTokenLifetime,
      leewayMs: auth.clockLeeway,
      cacheMax: auth.tokenCacheMax,
    },
  });
  const cookies = createSessionCookies({
    publicUrl,
    origins,
    refreshLifetimeMs: auth.refreshTokenLifetime,
    deviceLifetimeMs: auth.deviceLifetime,
  });
  return { keys, accessTokens, cookies };
}

/** Encrypts what must be readable, and derives the keys of signed links. */
export function openSecretCipher({
  config,
  logger,
  db,
  embedded,
}: Pick<LoginOptions, 'config' | 'logger' | 'db' | 'embedded'>): Promise<SecretCipher> {
  return createSecretCipher({
    db,
    logger,
    settings: {
      configured: config.auth.sealingKey,
      jwtSecret: config.auth.jwtSecret,
      embeddedDir: embedded ? config.database.embedded.dir : undefined,
    },
  });
}

export async function createLogins(options: LoginOptions): Promise<Logins> {
  const { config, logger, db, users, revocations, counters, authenticator, secretCipher } = options;
  const { keys, accessTokens, cookies } = options.tokens;
  const { limits } = config;

  const passwords = createPasswords(config.auth);
  const oneTimeTokens = createOneTimeTokens(db);
  const trustedDevices = createTrustedDevices(db);
  const sessions = createSessionStore({
    db,
    settings: {
      refreshLifetimeMs: config.auth.refreshTokenLifetime,
      refreshGraceMs: config.auth.refreshGrace,
      sessionsMax: config.auth.sessionsPerUser,
    },
  });
  const opener = createSessionOpener({ db, sessions, trustedDevices, accessTokens, revocations });
  const loginMethods = createLoginMethods({
    providerNames: new Set(Object.keys(config.auth.providers)),
    issuers: new Set(config.auth.issuers.map(({ issuer }) => issuer)),
  });
  const parts: LoginParts = {
    ...{ db, users, passwords, oneTimeTokens, trustedDevices, sessions, opener, loginMethods, counters, revocations },
    oweMail: oweAccountMail,
    announceRevocation: async () => {
      options.onRevoked();
      await revocations.sync();
    },
    loginLimit: { max: limits.loginsPerMinute, timeWindow: minuteMs },
  };
  const mfa = createMfa(options, parts, secretCipher);
  const auth = createLoginService({
    ...parts,
    mfaChallenge: mfa.mfaChallenge,
    throttle: createLoginThrottle(counters, { failuresMax: limits.loginsPerAccount }),
  });
  const firstAdmin = createFirstAdmin({
    ...parts,
    settings: { linkLifetimeMs: config.auth.setupLinkLifetime, firstLocalUser: options.embedded && isPrivate(config) },
  });
  const registerAccounts = createAccounts(options, parts, mfa);

  const routes: FastifyPluginAsync = async (v1) => {
    const { loginLimit } = parts;
    await v1.register(loginRoutes, { auth, cookies, loginLimit });
    await v1.register(registrationRoutes, {
      registrations: createRegistrations(options, parts, firstAdmin),
      ...{ cookies, authenticator, isLocal: isLocalCaller, loginLimit },
      guestLimit: { max: limits.guestsPerMinute, timeWindow: minuteMs },
    });
    await v1.register(sessionRoutes, { sessions: createSessionService(parts), cookies, authenticator, loginLimit });
    await registerAccounts(v1);
    await mfa.register(v1);
  };

  // Any instance may sweep at any time: only rows that no longer count are deleted.
  const sweeper = setInterval(() => {
    Promise.all([sessions.sweep(), oneTimeTokens.sweep(), trustedDevices.sweep(config.auth.deviceLifetime)]).catch(
      (error: unknown) => logger[logLevelOf(error)]({ error }, 'ended sessions could not be deleted'),
    );
  }, sweepMs);

  return {
    auth,
    opener,
    firstAdmin,
    oneTimeTokens,
    passwords,
    secretCipher,
    stepUp: mfa.stepUp,
    sessions,
    loginMethods,
    routes,
    frames: refreshFrames({
      authenticate: authenticator.fromToken,
      isRevoked: revocations.isRevoked,
      accessUntilMs: async ({ sessionId }) =>
        sessionId === undefined ? undefined : sessions.accessUntilMs(sessionId, config.auth.accessTokenLifetime),
    }),
    stop: () => {
      clearInterval(sweeper);
      keys.stop();
    },
  };
}

/** What the parts of logins share. */
interface LoginParts {
  readonly db: Database;
  readonly users: UserRepository;
  readonly passwords: Passwords;
  readonly oneTimeTokens: OneTimeTokens;
  readonly trustedDevices: TrustedDevices;
  readonly sessions: SessionStore;
  readonly opener: SessionOpener;
  readonly loginMethods: LoginMethods;
  readonly counters: RateCounters;
  readonly revocations: Revocations;
  readonly oweMail: OweAccountMail;
  readonly announceRevocation: () => Promise<void>;
  readonly loginLimit: { readonly max: number; readonly timeWindow: number };
}

function createRegistrations(
  { config, judgeName, profiles }: LoginOptions,
  parts: LoginParts,
  firstAdmin: FirstAdmin,
): RegistrationService {
  return createRegistrationService({
    ...parts,
    firstAdmin,
    judgeName,
    requireUsername: createUsernameRule(config.auth.reservedUsernames),
    onProfileChange: profiles.invalidate,
    settings: {
      guestsEnabled: config.auth.guests.enabled,
      registrationEnabled: config.auth.registration.enabled,
    },
  });
}

/** @returns registers the routes that change an account's password and address */
function createAccounts({ config, authenticator }: LoginOptions, parts: LoginParts, { factors, stepUp }: Mfa) {
  const links = createMailedLinks(parts.db, parts.oneTimeTokens);
  const pendingChanges = createPendingChanges(parts.oneTimeTokens);
  const failuresMax = config.limits.loginsPerAccount;
  const addresses = createAddressService({
    ...parts,
    ...{ links, pendingChanges, factors, stepUp },
    settings: { admins: new Set(config.admins.map((address) => toAsciiDomain(address).toLowerCase())), failuresMax },
  });
  const accountPasswords = createPasswordService({
    ...parts,
    ...{ links, pendingChanges, stepUp },
    settings: { failuresMax },
  });
  const { loginLimit } = parts;
  return async (v1: FastifyInstance): Promise<void> => {
    await v1.register(recoveryRoutes, { addresses, accountPasswords, authenticator, loginLimit });
    await v1.register(accountRoutes, { addresses, accountPasswords, authenticator, loginLimit });
  };
}

type Mfa = ReturnType<typeof createMfa>;

function createMfa(
  { config, logger, publicUrl, authenticator, tokens: { cookies } }: LoginOptions,
  parts: LoginParts,
  secretCipher: SecretCipher,
) {
  const { db, users, oneTimeTokens, counters, oweMail, loginLimit, opener } = parts;
  const codesMax = config.limits.codesPerAccount;
  const factors = createMfaFactors({
    db,
    onAdded: async (tx, userId) => oweNotice(tx, await users.find(userId), { oweMail, kind: 'factor_added' }),
  });
  const totp = createTotpFactor({ db, secretCipher, factors, issuer: 'Parley', logger });
  const passkeys = createPasskeys({
    db,
    factors,
    oneTimeTokens,
    relyingParty: relyingPartyOf(publicUrl, config.http.allowedOrigins),
  });
  const proofs = createFactorProofs({ db, totp, passkeys, counters, codesMax });
  const mfaChallenge = createMfaChallenge({ ...parts, factors, proofs, passkeys });
  const stepUp = createStepUp({
    ...parts,
    factors,
    proofs,
    settings: { lifetimeMs: config.auth.stepUpLifetime, passwordsMax: codesMax },
  });
  const service = createMfaService({ ...parts, factors, totp, passkeys, stepUp });

  return {
    factors,
    mfaChallenge,
    stepUp,
    register: async (v1: FastifyInstance): Promise<void> => {
      await v1.register(mfaLoginRoutes, { mfaChallenge, passkeys, opener, cookies, loginLimit });
      await v1.register(stepUpRoutes, { stepUp, passkeys, authenticator, loginLimit });
      await v1.register(factorRoutes, { factors: service, authenticator, loginLimit });
    },
  };
}

/** Whether the settings say that only this machine can reach Parley. */
export function isPrivate({ http, publicUrl }: Pick<Config, 'http' | 'publicUrl'>): boolean {
  const isNamedHere = publicUrl === undefined || isLoopbackHost(new URL(publicUrl).hostname);
  return isLoopbackHost(http.host) && http.trustProxy.length === 0 && isNamedHere;
}

/** Accounts of Parley's own: their tokens and cookies, logins, passwords and second factors. */

import type { FastifyPluginAsync } from 'fastify';
import { accountRoutes } from '../../auth/account/account-routes.ts';
import { createAccountService } from '../../auth/account/account-service.ts';
import { createFirstAdmin, type FirstAdmin } from '../../auth/account/first-admin.ts';
import { type AccessTokens, createAccessTokens } from '../../auth/credentials/access-tokens.ts';
import { createLoginMethods, type LoginMethods } from '../../auth/credentials/login-methods.ts';
import { createOneTimeTokens, type OneTimeTokens } from '../../auth/credentials/one-time-tokens.ts';
import { createPasswords, type Passwords } from '../../auth/credentials/passwords.ts';
import { createSecretCipher, type SecretCipher } from '../../auth/credentials/secret-encryption.ts';
import { type SigningKeys, startSigningKeys } from '../../auth/credentials/signing-keys.ts';
import { loginRoutes } from '../../auth/login/login-routes.ts';
import { createLoginService, type LoginService } from '../../auth/login/login-service.ts';
import { createLoginThrottle } from '../../auth/login/login-throttle.ts';
import { createMfaChallenge, type MfaChallenge } from '../../auth/mfa/mfa-challenge.ts';
import { createMfaFactors } from '../../auth/mfa/mfa-factors.ts';
import { mfaRoutes } from '../../auth/mfa/mfa-routes.ts';
import { createMfaService } from '../../auth/mfa/mfa-service.ts';
import { createPasskeys, relyingPartyOf } from '../../auth/mfa/passkeys.ts';
import type { Revocations } from '../../auth/sessions/revocations.ts';
import { createSessionCookies, type SessionCookies } from '../../auth/sessions/session-cookies.ts';
import { createSessionStore, type SessionStore } from '../../auth/sessions/session-store.ts';
import { createTrustedDevices } from '../../auth/sessions/trusted-devices.ts';
import type { Config } from '../../config/load.ts';
import type { Database } from '../../database/connect.ts';
import { logLevelOf } from '../../database/database-errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import { isLocalCaller, isLoopbackHost } from '../../http/caller/local-caller.ts';
import type { PageOrigins } from '../../http/caller/page-origins.ts';
import type { RateCounters } from '../../http/limits/rate-counters.ts';
import type { App } from '../../http/server/app.ts';
import { oweAccountMail } from '../../jobs/mail/account-mail.ts';
import type { FrameHandlers } from '../../realtime/gateway/frame-handlers.ts';
import { refreshFrames } from '../../realtime/gateway/refresh-frame.ts';
import { oweNotice } from '../../user/account/account-notice.ts';
import type { UserRepository } from '../../user/account/user-repository.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { JudgeName } from '../../user/profile/user-service.ts';
import { createUsernameRule } from '../../user/profile/user-text.ts';
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
  /** Other instances are told to look what ended. */
  readonly onRevoked: () => void;
}

/** What proves who calls, made before whoever checks it. */
export interface LoginTokens {
  readonly keys: SigningKeys;
  readonly accessTokens: AccessTokens;
  readonly cookies: SessionCookies;
}

export interface Logins {
  readonly auth: LoginService;
  readonly firstAdmin: FirstAdmin;
  readonly oneTimeTokens: OneTimeTokens;
  readonly passwords: Passwords;
  readonly secretCipher: SecretCipher;
  readonly mfaChallenge: MfaChallenge;
  readonly sessions: SessionStore;
  readonly loginMethods: LoginMethods;
  /** To be registered under `/v1`. */
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

export async function createLogins(options: LoginOptions): Promise<Logins> {
  const { config, logger, db, publicUrl, users, revocations, counters, authenticator } = options;
  const { keys, accessTokens, cookies } = options.tokens;
  const { http, limits } = config;
  const oweMail = oweAccountMail;

  const secretCipher = await createSecretCipher({
    db,
    logger,
    settings: {
      configured: config.auth.sealingKey,
      jwtSecret: config.auth.jwtSecret,
      embeddedDir: options.embedded ? config.database.embedded.dir : undefined,
    },
  });
  const passwords = createPasswords(config.auth);
  const sessions = createSessionStore({
    db,
    settings: {
      refreshLifetimeMs: config.auth.refreshTokenLifetime,
      refreshGraceMs: config.auth.refreshGrace,
      sessionsMax: config.auth.sessionsPerUser,
    },
  });
  const oneTimeTokens = createOneTimeTokens(db);
  const trustedDevices = createTrustedDevices(db);
  const factors = createMfaFactors({
    db,
    secretCipher,
    logger,
    issuer: 'Parley',
    onAdded: async (tx, userId) => oweNotice(tx, await users.find(userId), { oweMail, kind: 'factor_added' }),
  });
  const passkeys = createPasskeys({
    db,
    factors,
    oneTimeTokens,
    relyingParty: relyingPartyOf(publicUrl, http.allowedOrigins),
  });
  const shared = { db, users, passwords, sessions, oneTimeTokens, trustedDevices, counters, oweMail };
  const mfaChallenge = createMfaChallenge({
    ...shared,
    factors,
    passkeys,
    settings: { stepUpLifetimeMs: config.auth.stepUpLifetime, codesMax: limits.codesPerAccount },
  });
  const loginMethods = createLoginMethods({
    providerNames: new Set(Object.keys(config.auth.providers)),
    issuers: new Set(config.auth.issuers.map(({ issuer }) => issuer)),
  });
  const firstAdmin = createFirstAdmin({
    ...shared,
    settings: { linkLifetimeMs: config.auth.setupLinkLifetime, firstLocalUser: options.embedded && isPrivate(config) },
  });
  const auth = createLoginService({
    ...shared,
    firstAdmin,
    accessTokens,
    mfaChallenge,
    revocations,
    throttle: createLoginThrottle(counters, { failuresMax: limits.loginsPerAccount }),
    judgeName: options.judgeName,
    requireUsername: createUsernameRule(config.auth.reservedUsernames),
    onRevoked: options.onRevoked,
    onProfileChange: options.profiles.invalidate,
    settings: {
      guestsEnabled: config.auth.guests.enabled,
      registrationEnabled: config.auth.registration.enabled,
    },
  });
  const accounts = createAccountService({
    ...shared,
    mfaChallenge,
    announceRevocation: async () => {
      options.onRevoked();
      await revocations.sync();
    },
    settings: {
      admins: new Set(config.admins.map((address) => address.toLowerCase())),
      guessesMax: limits.loginsPerAccount,
    },
  });

  const loginLimit = { max: limits.loginsPerMinute, timeWindow: minuteMs };
  const guestLimit = { max: limits.guestsPerMinute, timeWindow: minuteMs };
  const routes: FastifyPluginAsync = async (v1) => {
    await v1.register(loginRoutes, {
      ...{ auth, accounts, cookies, authenticator, loginLimit, guestLimit },
      isLocal: isLocalCaller,
    });
    await v1.register(accountRoutes, { accounts, authenticator, loginLimit });
    await v1.register(mfaRoutes, {
      auth,
      authenticator,
      cookies,
      factors: createMfaService({ db, users, factors, passkeys, mfaChallenge, loginMethods, oweMail }),
      passkeys,
      mfaChallenge,
      loginLimit,
    });
  };

  // Any instance may sweep at any time; what is found has ended.
  const sweeper = setInterval(() => {
    Promise.all([sessions.sweep(), oneTimeTokens.sweep(), trustedDevices.sweep(config.auth.deviceLifetime)]).catch(
      (error: unknown) => logger[logLevelOf(error)]({ error }, 'ended logins could not be swept'),
    );
  }, sweepMs);

  return {
    auth,
    firstAdmin,
    oneTimeTokens,
    passwords,
    secretCipher,
    mfaChallenge,
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

/** Whether nobody but this machine can reach Parley, as far as its settings tell. */
export function isPrivate({ http, publicUrl }: Pick<Config, 'http' | 'publicUrl'>): boolean {
  const isNamedHere = publicUrl === undefined || isLoopbackHost(new URL(publicUrl).hostname);
  return isLoopbackHost(http.host) && http.trustProxy.length === 0 && isNamedHere;
}

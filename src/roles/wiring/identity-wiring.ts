/** Users of other systems: login providers, host applications, and servers with API keys. */
import type { FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { createAuthenticator, type LoginCheck } from '../../auth/authenticator.ts';
import type { AccessTokens } from '../../auth/credentials/access-tokens.ts';
import type { LoginMethods } from '../../auth/credentials/login-methods.ts';
import type { OneTimeTokens } from '../../auth/credentials/one-time-tokens.ts';
import { apiKeyRoutes } from '../../auth/host-app/api-key-routes.ts';
import { createApiKeys } from '../../auth/host-app/api-keys.ts';
import { createHostTokens } from '../../auth/host-app/host-tokens.ts';
import { createHostUsers } from '../../auth/host-app/host-users.ts';
import { serverRoutes } from '../../auth/host-app/server-routes.ts';
import { createServerUsers } from '../../auth/host-app/server-users.ts';
import type { LoginService } from '../../auth/login/login-service.ts';
import { limitRequests } from '../../auth/login/request-limits.ts';
import type { StepUp } from '../../auth/mfa/step-up.ts';
import { createIdentityAccounts } from '../../auth/oauth/identity-accounts.ts';
import { createIdentityLinking } from '../../auth/oauth/identity-linking.ts';
import { identityRoutes } from '../../auth/oauth/identity-routes.ts';
import { createLoginFlows } from '../../auth/oauth/login-flows.ts';
import { createOAuthProvider } from '../../auth/oauth/oauth-provider.ts';
import { createOAuthService } from '../../auth/oauth/oauth-service.ts';
import { probeUrlOf } from '../../auth/oauth/provider-endpoints.ts';
import { type LoginProviders, providerRoutes } from '../../auth/oauth/provider-routes.ts';
import { createReturnAddresses } from '../../auth/oauth/return-addresses.ts';
import type { Revocations } from '../../auth/sessions/revocations.ts';
import type { SessionCookies } from '../../auth/sessions/session-cookies.ts';
import type { SessionOpener } from '../../auth/sessions/session-opener.ts';
import type { SessionStore } from '../../auth/sessions/session-store.ts';
import type { MemberService } from '../../chat/membership/member-service.ts';
import type { Config } from '../../config/load.ts';
import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import type { IdempotencyKeys } from '../../http/idempotency.ts';
import type { RateCounters } from '../../http/limits/rate-counters.ts';
import type { App } from '../../http/server/app-type.ts';
import { oweAccountMail } from '../../jobs/mail/account-mail.ts';
import type { Outages } from '../../logger/outages.ts';
import type { UserRepository } from '../../user/account/user-repository.ts';
import { createUsernameRule } from '../../user/account/user-text.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { JudgeName } from '../../user/profile/user-service.ts';
import { createIdentityServers, type IdentityServers } from './identity-servers.ts';

export interface IdentityWiringOptions {
  readonly config: Config;
  readonly publicUrl: string;
  readonly db: Database;
  readonly logger: Logger;
  readonly outages: Outages;
  readonly registry: Registry;
  readonly users: UserRepository;
  readonly profiles: Profiles;
  readonly judgeName: JudgeName;
  readonly members: Pick<MemberService, 'put'>;
  readonly accessTokens: AccessTokens;
  readonly cookies: SessionCookies;
  readonly counters: RateCounters;
  readonly revocations: Revocations;
}

/** Parts of Parley's own logins that the routes of other systems' identities need. */
export interface IdentityRouteOptions {
  readonly auth: LoginService;
  readonly opener: SessionOpener;
  readonly sessions: SessionStore;
  readonly stepUp: StepUp;
  readonly loginMethods: LoginMethods;
  readonly oneTimeTokens: OneTimeTokens;
  readonly idempotency: IdempotencyKeys;
  readonly loginLimit: { readonly max: number; readonly timeWindow: number };
  /** Tells other instances to read the revocations. */
  readonly onRevoked: () => void;
}

export interface IdentityWiring {
  readonly authenticator: Authenticator & LoginCheck;
  /** Whether a request proves who makes it. */
  readonly isCaller: (request: FastifyRequest) => Promise<boolean>;
  /** Registers the routes under `/v1`. */
  readonly register: (v1: App, options: IdentityRouteOptions) => Promise<void>;
  readonly stop: () => void;
}

export function createIdentityWiring(options: IdentityWiringOptions): IdentityWiring {
  const { config, db, logger, users, profiles, judgeName, accessTokens, cookies, revocations } = options;
  const servers = createIdentityServers(options);
  const requireUsername = createUsernameRule(config.auth.reservedUsernames);
  const accounts = createIdentityAccounts({ db, users, judgeName, requireUsername });
  const apiKeys = createApiKeys({ db, settings: { keysMax: config.auth.apiKeysMax } });
  const hostUsers = createHostUsers({
    tokens: createHostTokens({
      issuers: config.auth.issuers,
      keysOf: ({ issuer, jwksUrl }) =>
        servers.keysAt(jwksUrl, servers.connect(issuer, `the key server of ${issuer}`, jwksUrl)),
      leewayMs: config.auth.clockLeeway,
    }),
    accounts,
    joinRooms: createRoomJoiner(options.members, logger),
    onProfile: profiles.invalidate,
    logger,
    settings: { cacheMax: config.auth.tokenCacheMax },
  });
  const proof = createAuthenticator({ accessTokens, cookies, hostUsers, apiKeys, revocations });
  const authenticator = limitRequests(proof, options.counters, config.limits);
  const providers = createProviders(options, servers);

  return {
    authenticator,
    isCaller: async (request) => {
      if (!proof.hasLogin(request)) return false;
      try {
        await proof.fromRequest(request);
        return true;
      } catch (error) {
        if (!(error instanceof Failure) || error.kind.retryable) throw error;
        return false;
      }
    },
    register: async (v1, routes) => {
      await registerProviders(v1, { ...options, ...routes, authenticator, accounts, providers });
      await v1.register(apiKeyRoutes, { apiKeys, authenticator, idempotency: routes.idempotency });
      await registerServers(v1, { ...options, ...routes, authenticator, accounts, requireUsername });
    },
    stop: servers.stop,
  };
}

/**
 * Adds a new user to rooms that a host application named. Rooms that do not exist or refuse the user count as done, because
 * a repeat would change nothing.
 */
function createRoomJoiner(members: Pick<MemberService, 'put'>, logger: Logger) {
  return async (userId: string, roomIds: readonly string[], by: string): Promise<string[]> => {
    const done: string[] = [];
    for (const roomId of roomIds) {
      try {
        await members.put({ userId: by, role: 'server' }, roomId, userId);
      } catch (error) {
        if (!(error instanceof Failure) || error.kind.retryable) throw error;
        logger.info({ code: error.code, roomId, userId }, 'a room named by a host application was not joined');
      }
      done.push(roomId);
    }
    return done;
  };
}

function createProviders({ config, publicUrl }: IdentityWiringOptions, servers: IdentityServers): LoginProviders {
  const origin = publicUrl.replace(/\/$/, '');
  return new Map(
    Object.entries(config.auth.providers).map(([name, settings]) => {
      const server = servers.connect(name, `the login provider ${name}`, probeUrlOf(settings));
      const callbackUrl = `${origin}/v1/auth/oauth/${name}/callback`;
      const keysAt = (url: string) => servers.keysAt(url, server);
      return [name, { settings, flow: createOAuthProvider({ name, provider: settings, callbackUrl, server, keysAt }) }];
    }),
  );
}

interface RegisterOptions extends IdentityWiringOptions, IdentityRouteOptions {
  readonly authenticator: Authenticator;
  readonly accounts: ReturnType<typeof createIdentityAccounts>;
}

async function registerProviders(v1: App, options: RegisterOptions & { providers: LoginProviders }): Promise<void> {
  const { config, publicUrl, db, users, accounts, oneTimeTokens, auth, stepUp, loginMethods } = options;
  const { authenticator, cookies, providers, loginLimit: rateLimit } = options;
  const linking = createIdentityLinking({ db, oneTimeTokens, stepUp, loginMethods, oweMail: oweAccountMail });
  const returnAddresses = createReturnAddresses(publicUrl, config.http.allowedOrigins);
  await v1.register(providerRoutes, {
    oauth: createOAuthService({ db, users, accounts, oneTimeTokens, auth }),
    flows: createLoginFlows({ db, oneTimeTokens, publicUrl }),
    ...{ linking, cookies, providers, returnAddresses, rateLimit },
  });
  await v1.register(identityRoutes, { linking, authenticator, providers, publicUrl, returnAddresses, rateLimit });
}

async function registerServers(
  v1: App,
  options: RegisterOptions & { requireUsername: ReturnType<typeof createUsernameRule> },
): Promise<void> {
  const { config, db, users, accounts, opener, sessions, judgeName, requireUsername, revocations } = options;
  const serverUsers = createServerUsers({
    ...{ db, users, accounts, opener, sessions, judgeName, requireUsername },
    issuers: new Set(config.auth.issuers.map(({ issuer }) => issuer)),
    onRevoked: async () => {
      options.onRevoked();
      await revocations.sync();
    },
  });
  const { authenticator, idempotency } = options;
  await v1.register(serverRoutes, { serverUsers, authenticator, idempotency });
}

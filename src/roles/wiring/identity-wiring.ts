/** People whom others vouch for: login providers, host applications, and other servers with API keys. */
import type { FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { Gauge, type Registry } from 'prom-client';
import { createAuthenticator } from '../../auth/authenticator.ts';
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
import { createIdentityServer, type IdentityServer } from '../../auth/oauth/identity-server.ts';
import { createJwksCache } from '../../auth/oauth/jwks-cache.ts';
import { createLoginFlows } from '../../auth/oauth/login-flows.ts';
import { createOAuthProvider } from '../../auth/oauth/oauth-provider.ts';
import { oauthRoutes } from '../../auth/oauth/oauth-routes.ts';
import { createOAuthService } from '../../auth/oauth/oauth-service.ts';
import { probeUrlOf } from '../../auth/oauth/provider-endpoints.ts';
import type { Revocations } from '../../auth/sessions/revocations.ts';
import type { SessionCookies } from '../../auth/sessions/session-cookies.ts';
import type { SessionOpener } from '../../auth/sessions/session-opener.ts';
import type { SessionStore } from '../../auth/sessions/session-store.ts';
import type { RoomService } from '../../chat/rooms/room-service.ts';
import type { Config } from '../../config/load.ts';
import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { IdempotencyKeys } from '../../http/idempotency.ts';
import type { RateCounters } from '../../http/limits/rate-counters.ts';
import type { App } from '../../http/server/app.ts';
import { oweAccountMail } from '../../jobs/mail/account-mail.ts';
import type { Outages } from '../../logger/outages.ts';
import type { UserRepository } from '../../user/account/user-repository.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { JudgeName } from '../../user/profile/user-service.ts';
import { createUsernameRule } from '../../user/profile/user-text.ts';

export function createIdentityWiring({
  config,
  publicUrl,
  db,
  logger,
  outages,
  registry,
  users,
  profiles,
  judgeName,
  rooms,
  accessTokens,
  cookies,
  counters,
  revocations,
}: {
  config: Config;
  publicUrl: string;
  db: Database;
  logger: Logger;
  outages: Outages;
  registry: Registry;
  users: UserRepository;
  profiles: Profiles;
  judgeName: JudgeName;
  rooms: Pick<RoomService, 'putMember'>;
  accessTokens: AccessTokens;
  cookies: SessionCookies;
  counters: RateCounters;
  revocations: Revocations;
}) {
  const breakers = new Gauge({
    name: 'parley_provider_breaker_open',
    help: '1 while a login provider or key server is left alone because it fails',
    labelNames: ['provider'],
    registers: [registry],
  });
  const links: IdentityServer[] = [];

  function linkTo(name: string, people: string, probeUrl: string): IdentityServer {
    const link = createIdentityServer({
      name: people,
      probeUrl,
      settings: {
        timeoutMs: config.auth.providerTimeout,
        failuresToOpen: config.auth.providerFailuresToOpen,
        probePauseMaxMs: config.auth.providerProbePauseMax,
      },
      onBreaker: (state) => breakers.set({ provider: name }, state === 'closed' ? 0 : 1),
      outage: outages.of(people),
    });
    links.push(link);
    return link;
  }

  const keysAt = (url: string, link: IdentityServer) =>
    createJwksCache({
      url,
      link,
      logger,
      settings: {
        maxAgeMs: config.auth.issuerKeys.maxAge,
        refetchMs: config.auth.issuerKeys.refetch,
        refetchBurst: config.auth.issuerKeys.refetchBurst,
        waitingMax: config.auth.issuerKeys.waitingMax,
      },
    });

  const requireUsername = createUsernameRule(config.auth.reservedUsernames);
  const accounts = createIdentityAccounts({ db, users, judgeName, requireUsername });
  const apiKeys = createApiKeys({ db, settings: { keysMax: config.auth.apiKeysMax } });
  const hostUsers = createHostUsers({
    tokens: createHostTokens({
      issuers: config.auth.issuers,
      keysOf: ({ issuer, jwksUrl }) => keysAt(jwksUrl, linkTo(issuer, `the key server of ${issuer}`, jwksUrl)),
      leewayMs: config.auth.clockLeeway,
    }),
    accounts,
    joinRooms,
    onProfile: profiles.invalidate,
    logger,
    settings: { cacheMax: config.auth.tokenCacheMax },
  });
  const proof = createAuthenticator({ accessTokens, cookies, hostUsers, apiKeys, revocations });
  const authenticator = limitRequests(proof, counters, config.limits);

  async function isCaller(request: FastifyRequest): Promise<boolean> {
    if (!proof.hasLogin(request)) return false;
    try {
      await proof.fromRequest(request);
      return true;
    } catch (error) {
      if (!(error instanceof Failure) || error.kind.retryable) throw error;
      return false;
    }
  }

  /** Rooms that are not there, or do not want the user, are dealt with too: asking again would change nothing. */
  async function joinRooms(userId: string, roomIds: readonly string[], by: string): Promise<string[]> {
    const dealtWith: string[] = [];
    for (const roomId of roomIds) {
      try {
        await rooms.putMember({ userId: by, role: 'server' }, roomId, userId);
      } catch (error) {
        if (!(error instanceof Failure) || error.kind.retryable) throw error;
        logger.info({ code: error.code, roomId, userId }, 'a room named by a host application was not joined');
      }
      dealtWith.push(roomId);
    }
    return dealtWith;
  }

  const providers = new Map(
    Object.entries(config.auth.providers).map(([name, settings]) => {
      const link = linkTo(name, `the login provider ${name}`, probeUrlOf(settings));
      const callbackUrl = `${publicUrl.replace(/\/$/, '')}/v1/auth/oauth/${name}/callback`;
      const flow = createOAuthProvider({
        name,
        provider: settings,
        callbackUrl,
        link,
        keysAt: (url) => keysAt(url, link),
      });
      return [name, { settings, flow }];
    }),
  );

  /** Routes of all this, to be registered under `/v1`. */
  async function register(
    v1: App,
    {
      auth,
      opener,
      sessions,
      stepUp,
      loginMethods,
      oneTimeTokens,
      idempotency,
      loginLimit,
      onRevoked,
    }: {
      auth: LoginService;
      opener: SessionOpener;
      sessions: SessionStore;
      stepUp: StepUp;
      loginMethods: LoginMethods;
      oneTimeTokens: OneTimeTokens;
      idempotency: IdempotencyKeys;
      loginLimit: { max: number; timeWindow: number };
      /** Other instances are told to look. */
      onRevoked: () => void;
    },
  ): Promise<void> {
    await v1.register(oauthRoutes, {
      oauth: createOAuthService({
        db,
        users,
        accounts,
        oneTimeTokens,
        auth,
        stepUp,
        oweMail: oweAccountMail,
        loginMethods,
      }),
      flows: createLoginFlows({ db, oneTimeTokens, publicUrl }),
      authenticator,
      cookies,
      providers,
      publicUrl,
      returnOrigins: config.http.allowedOrigins,
      rateLimit: loginLimit,
    });
    await v1.register(apiKeyRoutes, { apiKeys, authenticator, idempotency });
    const serverUsers = createServerUsers({
      db,
      users,
      accounts,
      opener,
      sessions,
      issuers: new Set(config.auth.issuers.map(({ issuer }) => issuer)),
      judgeName,
      requireUsername,
      onRevoked: async () => {
        onRevoked();
        await revocations.sync();
      },
    });
    await v1.register(serverRoutes, { serverUsers, authenticator, idempotency });
  }

  return {
    authenticator,
    isCaller,
    register,
    stop: () => {
      for (const link of links) link.stop();
    },
  };
}

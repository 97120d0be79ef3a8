/** Connections to login providers and key servers, each with a circuit breaker. */
import type { Logger } from 'pino';
import { Gauge, type Registry } from 'prom-client';
import { createIdentityServer, type IdentityServer } from '../../auth/oauth/identity-server.ts';
import { createJwksCache } from '../../auth/oauth/jwks-cache.ts';
import type { Config } from '../../config/load.ts';
import type { Outages } from '../../logger/outages.ts';

export interface IdentityServers {
  /**
   * @param name the label in metrics
   * @param title the name in log messages
   */
  readonly connect: (name: string, title: string, probeUrl: string) => IdentityServer;
  /** The keys (RFC 7517) at a URL of that server. */
  readonly keysAt: (url: string, server: IdentityServer) => ReturnType<typeof createJwksCache>;
  readonly stop: () => void;
}

export function createIdentityServers({
  config,
  logger,
  outages,
  registry,
}: {
  config: Config;
  logger: Logger;
  outages: Outages;
  registry: Registry;
}): IdentityServers {
  const { auth } = config;
  const servers: IdentityServer[] = [];
  const breakers = new Gauge({
    name: 'parley_provider_breaker_open',
    help: '1 while requests to a login provider or key server are suspended because they fail',
    labelNames: ['provider'],
    registers: [registry],
  });
  return {
    connect: (name, title, probeUrl) => {
      const server = createIdentityServer({
        name: title,
        probeUrl,
        settings: {
          timeoutMs: auth.providerTimeout,
          failuresToOpen: auth.providerFailuresToOpen,
          probePauseMaxMs: auth.providerProbePauseMax,
        },
        onBreaker: (state) => breakers.set({ provider: name }, state === 'closed' ? 0 : 1),
        outage: outages.of(title),
      });
      servers.push(server);
      return server;
    },
    keysAt: (url, server) => {
      const { maxAge: maxAgeMs, refetch: refetchMs, refetchBurst, waitingMax } = auth.issuerKeys;
      return createJwksCache({ url, server, logger, settings: { maxAgeMs, refetchMs, refetchBurst, waitingMax } });
    },
    stop: () => {
      for (const server of servers) server.stop();
    },
  };
}

/** The HTTP application and everything that tells who calls it: rate counters, tokens, logins, other systems' identities. */
import type { SecretCipher } from '../../auth/credentials/secret-encryption.ts';
import { createPageOrigins, type PageOrigins } from '../../http/caller/page-origins.ts';
import { createLocalCounters, createRedisCounters, type RateCounters } from '../../http/limits/rate-counters.ts';
import { createApp } from '../../http/server/app.ts';
import type { App } from '../../http/server/app-type.ts';
import { socketPath } from '../../realtime/gateway/socket-route.ts';
import { createUserRepository } from '../../user/account/user-repository.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import {
  createUserService,
  type JudgeName,
  type JudgeStatus,
  type UserService,
} from '../../user/profile/user-service.ts';
import { createPersonChanges, type PersonChanges } from '../../user/status/person-changes.ts';
import { createPersonFacts, type FindPersonFacts } from '../../user/status/person-facts.ts';
import type { RoleContext } from '../lifecycle/role-lifecycle.ts';
import type { ChatConnections } from './chat-connections.ts';
import type { ChatMetrics } from './chat-metrics.ts';
import type { Cluster } from './cluster-wiring.ts';
import { createIdentityWiring, type IdentityWiring } from './identity-wiring.ts';
import { createLogins, type Logins, type LoginTokens, startLoginTokens } from './login-wiring.ts';
import type { MessageParts } from './message-parts.ts';
import { type PrivacyWiring, startPrivacy } from './privacy-wiring.ts';
import type { RoomWiring } from './room-wiring.ts';

export interface CallerWiring {
  readonly app: App;
  readonly origins: PageOrigins;
  readonly counters: RateCounters;
  readonly tokens: LoginTokens;
  readonly identities: IdentityWiring;
  readonly logins: Logins;
  readonly privacy: PrivacyWiring;
  readonly users: UserService;
  readonly personChanges: PersonChanges;
  readonly findFacts: FindPersonFacts;
}

export interface CallerWiringOptions extends RoleContext, Pick<ChatConnections, 'db' | 'sql'> {
  readonly publicUrl: string;
  readonly embedded: boolean;
  readonly cluster: Cluster;
  readonly rooms: RoomWiring;
  readonly profiles: Profiles;
  readonly judgeName: JudgeName;
  readonly judgeStatus: JudgeStatus;
  readonly chatMetrics: ChatMetrics;
  readonly parts: MessageParts;
  readonly secretCipher: SecretCipher;
}

export async function startCallerWiring(options: CallerWiringOptions): Promise<CallerWiring> {
  const { config, logger, outages, metrics, version, publicUrl, db, profiles, judgeName, chatMetrics } = options;
  const { cluster, rooms } = options;
  const counters = createCounters(options);
  // Requests arrive only after `listen`, so both functions find `identities` set.
  const app = await createApp({
    settings: {
      ...config.http,
      ...config.limits,
      publicUrl,
      socketPath,
      longestBodyTimeout: Math.max(config.uploads.timeout, config.message.streamLifetime),
    },
    counters,
    isCaller: (request) => identities.isCaller(request),
    requireCaller: (request) => identities.authenticator.fromRequest(request),
    metrics: chatMetrics.requests,
    logger,
    version,
  });
  const users = createUserRepository(db);
  const { revocations } = cluster;
  const shared = { config, publicUrl, db, logger, outages, users, profiles, revocations, counters, judgeName };
  const onRevoked = cluster.hints.announceRevocation;
  const origins = createPageOrigins({ ...config.http, publicUrl }, logger);
  const tokens = await startLoginTokens({ ...shared, app, origins });
  const identities = createIdentityWiring({
    ...shared,
    ...tokens,
    registry: metrics.registry,
    members: rooms.memberService,
  });
  const { authenticator } = identities;
  const { embedded, secretCipher } = options;
  const logins = await createLogins({ ...shared, tokens, authenticator, embedded, secretCipher, onRevoked });
  const { hub, eventLog } = rooms;
  const [personChanges, findFacts] = [createPersonChanges(), createPersonFacts(options.sql)];
  const privacy = startPrivacy({
    ...{ ...shared, ...logins, hub, eventLog, authenticator, onRevoked, personChanges },
    parts: options.parts,
  });
  return {
    ...{ app, origins, counters, tokens, identities, logins, privacy, personChanges, findFacts },
    users: createUserService({
      ...{ db, repository: users, profiles, findFacts, changes: personChanges, judgeName },
      judgeStatus: options.judgeStatus,
      settings: config.presence,
    }),
  };
}

function createCounters({ config, outages, cluster, chatMetrics }: CallerWiringOptions): RateCounters {
  if (!cluster.redis) return createLocalCounters();
  const settings = { ...cluster.redis, fallbackWeight: config.limits.withoutRedis };
  return createRedisCounters(settings, outages, (state) =>
    chatMetrics.breakers.set({ peer: 'redis-counters' }, state === 'closed' ? 0 : 1),
  );
}

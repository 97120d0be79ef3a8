/** Presence: who is connected on this and the other instances, and who is told. */
import { randomUUID } from 'node:crypto';
import { presenceFrames } from '../../chat/presence/presence-frames.ts';
import { presenceRoutes } from '../../chat/presence/presence-routes.ts';
import { createSharedRooms } from '../../chat/presence/shared-rooms-repository.ts';
import { leaseTimes } from '../../realtime/presence/instance-leases.ts';
import { type OwnPresence, startPresence } from '../../realtime/presence/presence-service.ts';
import {
  createLocalPresence,
  createSharedPresence,
  type PresenceSharing,
  type PresenceSharingEvents,
} from '../../realtime/presence/presence-sharing.ts';
import { createPresenceStore } from '../../realtime/presence/presence-store.ts';
import type { PersonView } from '../../realtime/presence/presence-views.ts';
import { shownStatus } from '../../user/status/custom-status.ts';
import type { PersonFacts } from '../../user/status/person-facts.ts';
import type { ConversationOptions, Feature } from './conversation-options.ts';

type PresenceOptions = Pick<
  ConversationOptions,
  'config' | 'logger' | 'outages' | 'connections' | 'cluster' | 'rooms' | 'callers' | 'metrics'
>;

export function startPresenceFeature(options: PresenceOptions): Feature {
  const { config, logger, connections, rooms, callers, metrics } = options;
  const { hub } = rooms;
  const onError = (error: unknown) => logger.debug({ error }, 'presence could not be read');
  const presence = startPresence({
    sources: {
      findView: async (userId) => toView(await callers.findFacts(userId)),
      shareRoom: createSharedRooms(connections.sql),
      isBeside: hub.isBeside,
    },
    connectSharing: (own, events) => connectSharing(options, own, events, onError),
    onConnections: hub.onConnections,
    metrics: metrics.presence,
    onError,
    settings: config.presence,
  });
  callers.personChanges.onChange(presence.announceFacts);
  return {
    routes: async (v1) => {
      const { authenticator } = callers.identities;
      await v1.register(presenceRoutes, { presence, authenticator, settings: config.presence });
    },
    frames: presenceFrames(presence, { ...config.presence, ...config.limits }),
    stop: async () => presence.stop(),
  };
}

function toView(facts: PersonFacts | undefined): PersonView | undefined {
  if (!facts) return undefined;
  const { invisible, blocked } = facts;
  return { invisible, blocked, customStatus: (nowMs) => shownStatus(facts, nowMs) };
}

function connectSharing(
  { config, outages, cluster, metrics }: PresenceOptions,
  own: OwnPresence,
  events: PresenceSharingEvents,
  onError: (error: unknown) => void,
): PresenceSharing {
  if (!cluster.redis) return createLocalPresence();
  const graceMs = config.presence.grace;
  const { leaseMs } = leaseTimes(graceMs);
  return createSharedPresence({
    ...{ graceMs, own, events, onError },
    instance: randomUUID(),
    hints: cluster.hints,
    store: createPresenceStore({ ...cluster.redis, leaseMs }, outages),
    metrics: metrics.presence,
  });
}

/** WebSocket connections: the handshake, the frames of every feature, and the watches over open connections. */
import type { Contact } from '../../chat/membership/contact.ts';
import { messageFrames } from '../../chat/messages/message-frames.ts';
import { readFrames } from '../../chat/reads/read-routes.ts';
import { roomFrames } from '../../chat/rooms/room-frames.ts';
import { startConnectionMaintenance } from '../../realtime/gateway/connection-maintenance.ts';
import type { FrameHandlers } from '../../realtime/gateway/frame-handlers.ts';
import { checkHello, createHelloHandshake, type HelloHandshake } from '../../realtime/gateway/hello-handshake.ts';
import {
  createWakeGrace,
  type ProcessPauseDetector,
  startProcessPauseDetector,
  type WakeGrace,
} from '../../realtime/gateway/process-pause.ts';
import { createSocketServer, type SocketServer } from '../../realtime/gateway/socket-server.ts';
import {
  createLocalUserSockets,
  createRedisUserSockets,
  type UserSockets,
} from '../../realtime/gateway/user-sockets.ts';
import type { BlockLookup } from '../../user/blocks/block-lookup.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { RoleContext } from '../lifecycle/role-lifecycle.ts';
import type { CallerWiring } from './caller-wiring.ts';
import type { ChatMetrics } from './chat-metrics.ts';
import type { Cluster } from './cluster-wiring.ts';
import type { ConversationWiring } from './conversation-wiring.ts';
import type { MessageWiring } from './message-wiring.ts';
import type { RoomWiring } from './room-wiring.ts';
import { createWelcomeSource } from './welcome-source.ts';

export interface SocketWiring {
  readonly sockets: SocketServer;
  /** Of the frames of all features. */
  readonly handlers: FrameHandlers;
  readonly helloHandshake: HelloHandshake;
  readonly pauses: ProcessPauseDetector;
  readonly wakeGrace: WakeGrace;
  readonly userSockets: UserSockets;
  readonly maintenance: ReturnType<typeof startConnectionMaintenance>;
}

export interface SocketWiringOptions extends Pick<RoleContext, 'config' | 'logger' | 'outages'> {
  readonly cluster: Cluster;
  readonly rooms: RoomWiring;
  readonly messages: MessageWiring;
  readonly callers: CallerWiring;
  readonly profiles: Profiles;
  readonly blocks: BlockLookup;
  readonly contact: Contact;
  readonly metrics: ChatMetrics;
  readonly conversation: ConversationWiring;
}

export function startSocketWiring(options: SocketWiringOptions): SocketWiring {
  const { config, logger, outages, cluster, rooms, callers, profiles, metrics } = options;
  const { hub, eventLog, reader } = rooms;
  const { authenticator } = callers.identities;
  const { socketsPerUser, heartbeat } = config.realtime;
  const helloHandshake = createHelloHandshake({
    hub,
    source: createWelcomeSource({ ...cluster, ...rooms, profiles, blocks: options.blocks }),
    metrics: metrics.welcome,
    settings: { ...config.realtime, heartbeatMs: heartbeat, messageLengthMax: config.message.maxLength },
  });
  const pauses = startProcessPauseDetector();
  const wakeGrace = createWakeGrace(pauses, config.realtime.frozen);
  const userSockets = cluster.redis
    ? createRedisUserSockets({ ...cluster.redis, max: socketsPerUser }, outages)
    : createLocalUserSockets(socketsPerUser);
  const handlers = featureFrames(options);
  const sockets = createSocketServer({
    hub,
    userSockets,
    greeter: {
      authenticate: authenticator.fromToken,
      welcome: helloHandshake.welcome,
      checkHello,
      confirm: authenticator.confirm,
    },
    handlers,
    wakeGrace,
    metrics: metrics.sockets,
    logger,
    settings: { ...config.realtime, ...config.limits },
  });
  metrics.watch({
    queueBytes: () => [...sockets.open()].reduce((sum, { queuedBytes }) => sum + queuedBytes, 0),
    sendsWaiting: eventLog.waiting,
    replaysWaiting: reader.waiting,
  });
  const maintenance = startMaintenance(options, { sockets, pauses });
  return { sockets, handlers, helloHandshake, pauses, wakeGrace, userSockets, maintenance };
}

function featureFrames(options: SocketWiringOptions) {
  const { config, rooms, messages, callers, contact } = options;
  return {
    ...messageFrames(messages.messages),
    ...readFrames(messages.reads),
    ...roomFrames({
      hub: rooms.hub,
      access: rooms.roomAccess,
      contact,
      nowMs: rooms.eventLog.nowMs,
      settings: { ...config.limits, ...config.realtime },
    }),
    ...options.conversation.frames,
    ...callers.logins.frames,
  };
}

function startMaintenance(
  { config, logger, cluster, rooms, metrics }: SocketWiringOptions,
  { sockets, pauses }: Pick<SocketWiring, 'sockets' | 'pauses'>,
) {
  const { revocations } = cluster;
  const maintenance = startConnectionMaintenance({
    hub: rooms.hub,
    open: sockets.open,
    sources: {
      isRevoked: revocations.isRevoked,
      syncRevocations: revocations.sync,
      newMemberships: rooms.membershipChanges.newMemberships,
    },
    pauses,
    stalls: metrics.stalls,
    logger,
    settings: { ...config.realtime, stallMs: config.realtime.stall },
  });
  revocations.onChange(maintenance.checkAuthority);
  return maintenance;
}

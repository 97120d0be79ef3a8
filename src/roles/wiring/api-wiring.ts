/** Registers the REST routes of every feature under `/v1`. */
import { keyRoutes } from '../../auth/credentials/key-routes.ts';
import { eventRoutes } from '../../chat/events/event-routes.ts';
import { createInviteCodes } from '../../chat/invites/invite-codes.ts';
import { inviteRoutes } from '../../chat/invites/invite-routes.ts';
import { createInviteService } from '../../chat/invites/invite-service.ts';
import { memberRoutes } from '../../chat/membership/member-routes.ts';
import { messageRoutes } from '../../chat/messages/message-routes.ts';
import { roomNotificationRoutes } from '../../chat/notifications/room-notification-routes.ts';
import { createRoomNotificationService } from '../../chat/notifications/room-notification-service.ts';
import { readRoutes } from '../../chat/reads/read-routes.ts';
import { roomListRoutes } from '../../chat/rooms/room-list-routes.ts';
import { roomRoutes } from '../../chat/rooms/room-routes.ts';
import { isLocalCaller, isLoopbackHost } from '../../http/caller/local-caller.ts';
import { createIdempotencyKeys } from '../../http/idempotency.ts';
import type { App } from '../../http/server/app-type.ts';
import { mailboxRoutes } from '../../jobs/mail/mailbox-routes.ts';
import { notificationRoutes, unsubscribeRoutes } from '../../user/notifications/notification-routes.ts';
import { createNotificationService } from '../../user/notifications/notification-settings.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import { userRoutes } from '../../user/profile/user-routes.ts';
import type { RoleContext } from '../lifecycle/role-lifecycle.ts';
import type { CallerWiring } from './caller-wiring.ts';
import type { ChatConnections } from './chat-connections.ts';
import type { Cluster } from './cluster-wiring.ts';
import type { ConversationWiring } from './conversation-wiring.ts';
import type { MessageParts } from './message-parts.ts';
import type { MessageWiring } from './message-wiring.ts';
import { createModerationWiring, type ModerationWiring } from './moderation-wiring.ts';
import type { RoomWiring } from './room-wiring.ts';

export interface ApiWiringOptions extends Pick<RoleContext, 'config' | 'logger'> {
  readonly publicUrl: string;
  readonly connections: ChatConnections;
  readonly cluster: Cluster;
  readonly rooms: RoomWiring;
  readonly messages: MessageWiring;
  readonly callers: CallerWiring;
  readonly profiles: Profiles;
  readonly parts: MessageParts;
  readonly conversation: ConversationWiring;
}

const minuteMs = 60_000;

export async function registerApi(options: ApiWiringOptions): Promise<Pick<ModerationWiring, 'stop'>> {
  const { config, logger, callers, connections, cluster } = options;
  const { app, identities, logins } = callers;
  const idempotency = createIdempotencyKeys({ db: connections.db, logger, settings: config.http });
  const moderation = createModeration(options, idempotency);
  const loginLimit = { max: config.limits.loginsPerMinute, timeWindow: minuteMs };
  await app.register(keyRoutes, { keys: callers.tokens.keys });
  await app.register(
    async (v1) => {
      await v1.register(logins.routes);
      await identities.register(v1, {
        ...{ ...logins, idempotency, loginLimit },
        onRevoked: cluster.hints.announceRevocation,
      });
      await callers.privacy.register(v1);
      await registerUsers(v1, options);
      await registerChat(v1, options, idempotency);
      await options.conversation.routes(v1);
      await v1.register(moderation.routes);
    },
    { prefix: '/v1' },
  );
  await registerMailbox(options);
  return moderation;
}

type Idempotency = ReturnType<typeof createIdempotencyKeys>;

function createModeration(options: ApiWiringOptions, idempotency: Idempotency): ModerationWiring {
  const { config, logger, profiles, connections, cluster, rooms, messages, callers } = options;
  const { revocations, hints } = cluster;
  return createModerationWiring({
    ...{ db: connections.db, sql: connections.sql, config, logger, profiles, revocations, idempotency },
    authenticator: callers.identities.authenticator,
    sessions: callers.logins.sessions,
    eventLog: rooms.eventLog,
    follow: rooms.roomAccess.follow,
    messages: messages.messages,
    refusals: messages.refusals,
    snapshot: options.parts.extras.snapshot,
    purge: options.parts.extras.purge,
    onRevoked: hints.announceRevocation,
    signalUser: rooms.hub.signalUser,
    onRoomBan: () => {
      hints.announceRevocation();
      rooms.watcherBans.look();
    },
  });
}

async function registerChat(v1: App, options: ApiWiringOptions, idempotency: Idempotency): Promise<void> {
  const { config, publicUrl, connections, rooms, messages, callers } = options;
  const { db } = connections;
  const { eventLog, hub, reader } = rooms;
  const { authenticator } = callers.identities;
  const { follow, followToRead } = rooms.roomAccess;
  await v1.register(roomRoutes, {
    rooms: rooms.roomService,
    creation: rooms.roomCreation,
    authenticator,
    idempotency,
    limits: config.room,
  });
  await v1.register(roomListRoutes, {
    lists: rooms.roomLists,
    views: rooms.roomViews,
    findMessages: messages.messages.findAt,
    authenticator,
  });
  await v1.register(memberRoutes, { members: rooms.memberService, authenticator });
  const invites = createInviteService({
    ...{ db, eventLog, hub, follow },
    describe: rooms.roomService.get,
    codes: createInviteCodes(callers.logins.secretCipher, publicUrl),
    settings: config.room,
  });
  await v1.register(inviteRoutes, { invites, authenticator, idempotency });
  await v1.register(messageRoutes, { messages: messages.messages, authenticator });
  await v1.register(eventRoutes, { followToRead, reader, authenticator });
  await v1.register(readRoutes, { reads: messages.reads, receipts: messages.receipts, authenticator });
  const roomNotifications = createRoomNotificationService({ db, follow });
  await v1.register(roomNotificationRoutes, { roomNotifications, authenticator });
}

async function registerUsers(v1: App, { connections, callers }: ApiWiringOptions): Promise<void> {
  const { authenticator } = callers.identities;
  const notifications = createNotificationService(connections.db);
  await v1.register(userRoutes, { users: callers.users, authenticator });
  await v1.register(notificationRoutes, { notifications, authenticator });
  await v1.register(unsubscribeRoutes, { notifications });
}

/** The development mailbox: only without an SMTP server, in role `all`, for requests from this machine. */
async function registerMailbox({ config, publicUrl, connections, callers }: ApiWiringOptions): Promise<void> {
  if (config.role !== 'all' || config.smtp.url || config.environment !== 'development') return;
  const isPublic = !isLoopbackHost(new URL(publicUrl).hostname);
  await callers.app.register(mailboxRoutes, {
    db: connections.db,
    authenticator: callers.identities.authenticator,
    // A request through a public address may come from anybody, whatever its headers say.
    isLocal: (request) => !isPublic && isLocalCaller(request),
  });
}

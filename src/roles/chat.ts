/** The chat role: REST, WebSocket and the page. A parts list; no rule about chatting stands here. */
import { setTimeout as pause } from 'node:timers/promises';
import { setupLink } from '../auth/account/first-admin.ts';
import { keyRoutes } from '../auth/credentials/key-routes.ts';
import { startRevocations } from '../auth/sessions/revocations.ts';
import { createEventLog } from '../chat/events/event-log.ts';
import { eventRoutes } from '../chat/events/event-routes.ts';
import { createLogReader } from '../chat/events/log-reader.ts';
import { inviteRoutes } from '../chat/invites/invite-routes.ts';
import { createInviteService } from '../chat/invites/invite-service.ts';
import { createContact } from '../chat/membership/contact.ts';
import { createMembershipChanges } from '../chat/membership/membership-changes.ts';
import { startWatcherBans } from '../chat/membership/watcher-bans.ts';
import { createFlagPolicy } from '../chat/messages/flag-policy.ts';
import { createHistoryPages } from '../chat/messages/history-pages.ts';
import { createMentionLookup } from '../chat/messages/mentioned-members.ts';
import { messageFrames } from '../chat/messages/message-frames.ts';
import { createMessageRepository } from '../chat/messages/message-repository.ts';
import { messageRoutes } from '../chat/messages/message-routes.ts';
import { createMessageService } from '../chat/messages/message-service.ts';
import { createSenderFacts } from '../chat/messages/sender-facts.ts';
import { createUncachedNewestPages } from '../chat/messages/uncached-newest-page.ts';
import { roomNotificationRoutes } from '../chat/notifications/room-notification-routes.ts';
import { createRoomNotificationService } from '../chat/notifications/room-notification-service.ts';
import { readFrames, readRoutes } from '../chat/reads/read-routes.ts';
import { createReadService } from '../chat/reads/read-service.ts';
import { roomFrames } from '../chat/rooms/room-frames.ts';
import { createRoomRepository } from '../chat/rooms/room-repository.ts';
import { roomRoutes } from '../chat/rooms/room-routes.ts';
import { createRoomService } from '../chat/rooms/room-service.ts';
import { createStaffAccess } from '../chat/rooms/staff-access.ts';
import type { RoomState } from '../chat/state/room-state.ts';
import { connectDatabase, connectionLimits, connectSql } from '../database/connect.ts';
import { parseDatabaseUrl } from '../database/connection/database-url.ts';
import { poolingOf } from '../database/connection/driver-options.ts';
import { createDatabaseProbe, databaseOutage } from '../database/database-probe.ts';
import { createFreshnessBatch } from '../database/freshness-batch.ts';
import { Failure } from '../errors.ts';
import { isLocalCaller, isLoopbackHost } from '../http/caller/local-caller.ts';
import { createPageOrigins } from '../http/caller/page-origins.ts';
import { addHealthRoutes, type Readiness } from '../http/health.ts';
import { createIdempotencyKeys } from '../http/idempotency.ts';
import { createLocalCounters, createRedisCounters } from '../http/limits/rate-counters.ts';
import { addMetricsRoute } from '../http/metrics.ts';
import { createApp } from '../http/server/app.ts';
import { addWebPage } from '../http/web-page.ts';
import { mailboxRoutes } from '../jobs/mail/mailbox-routes.ts';
import { recordAct } from '../moderation/records/audit-log.ts';
import { createRefusalLog } from '../moderation/records/refusal-log.ts';
import type { ProcessingTransport } from '../processing/client/processing-transport.ts';
import type { TextEngine } from '../processing/engine/text-task.ts';
import { startDatabaseIsolationWatch } from '../realtime/cluster/database-isolation.ts';
import { createLocalHints } from '../realtime/cluster/hints.ts';
import { startLogEpoch } from '../realtime/cluster/log-epoch.ts';
import { createLogMemories } from '../realtime/cluster/log-memories.ts';
import { findRedis } from '../realtime/cluster/redis-cluster.ts';
import { createRedisHints } from '../realtime/cluster/redis-hints.ts';
import { createHub, type Hub } from '../realtime/feed/hub.ts';
import { refuseAbandonedRequests } from '../realtime/gateway/abandoned-requests.ts';
import { startConnectionMaintenance } from '../realtime/gateway/connection-maintenance.ts';
import { checkHello, createHelloHandshake, type WelcomeSource } from '../realtime/gateway/hello-handshake.ts';
import { startProcessPauseWatch } from '../realtime/gateway/process-pause.ts';
import { addSocketRoute, socketPath } from '../realtime/gateway/socket-route.ts';
import { createSocketServer } from '../realtime/gateway/socket-server.ts';
import { createLocalUserSockets, createRedisUserSockets } from '../realtime/gateway/user-sockets.ts';
import { type Connection, closeCodes } from '../realtime/socket/connection.ts';
import { createUserRepository } from '../user/account/user-repository.ts';
import { createBlockLookup } from '../user/blocks/block-lookup.ts';
import { notificationRoutes, unsubscribeRoutes } from '../user/notifications/notification-routes.ts';
import { createNotificationService } from '../user/notifications/notification-settings.ts';
import { createProfiles } from '../user/profile/profiles.ts';
import { userRoutes } from '../user/profile/user-routes.ts';
import { createUserService } from '../user/profile/user-service.ts';
import { atMostUntil, type RoleContext, type RunningRole, stopInOrder } from './lifecycle/role-lifecycle.ts';
import { createChatMetrics } from './wiring/chat-metrics.ts';
import { createIdentityWiring } from './wiring/identity-wiring.ts';
import { createJudge } from './wiring/judge-wiring.ts';
import { createLogins, startLoginTokens } from './wiring/login-wiring.ts';
import { createModerationWiring, startModerationRetries } from './wiring/moderation-wiring.ts';
import { startPrivacy } from './wiring/privacy-wiring.ts';

export interface ChatRoleOptions extends RoleContext {
  readonly databaseUrl: string;
  readonly embedded: boolean;
  /** The engine of this process: the fallback of remote ones. */
  readonly localEngine: TextEngine | undefined;
  /** The processing service of this process, in `all`. */
  readonly memoryTransport: ProcessingTransport | undefined;
}

export interface ChatRole extends RunningRole {
  readonly url: string;
  readonly hasPage: boolean;
  /** Makes the first admin; absent while there is one, or where the database is not embedded. */
  readonly setupLink: string | undefined;
}

const minuteMs = 60_000;
/** In a drain, sockets get this time to answer the close frame. */
const goodbyeMs = 1000;
/** After a restart of Postgres instances wait for each other: each of them notices it within this time. */
const identityCheckMaxMs = 1000;
/** A changed name shows in what is made from memory after this time. */
const profilesTtlMs = 2000;

export async function startChatRole(options: ChatRoleOptions): Promise<ChatRole> {
  const { config, logger, outages, metrics, version, databaseUrl, embedded } = options;
  const publicUrl = config.publicUrl ?? `http://localhost:${config.http.port}`;
  const chatMetrics = createChatMetrics(metrics.registry);
  const { statementTimeout } = config.database;
  const connection = { ...connectionLimits(config), url: databaseUrl, observer: chatMetrics.pool };

  const ownSessions = poolingOf(parseDatabaseUrl(databaseUrl), config.database.pooling) === 'session';

  // Connections: ordinary work, hot reads, what must never wait behind them, and one for each lane.
  const { db, close: closeDatabase } = connectDatabase({
    ...connection,
    poolSize: config.database.poolSize,
    name: 'chat',
  });
  const sql = connectSql({ ...connection, poolSize: config.database.poolSize, name: 'reads' });
  const reserved = connectSql({ ...connection, poolSize: 2, name: 'guard' });
  const openLane = () =>
    connectSql({
      ...connection,
      poolSize: 1,
      pipeline: 2,
      planOnce: true,
      lockTimeout: config.database.lockTimeout,
      name: 'lane',
    });

  const look = createFreshnessBatch(reserved);
  const revocations = await startRevocations({
    sql: reserved,
    look,
    logger,
    settings: {
      memoryMs: config.auth.accessTokenLifetime + config.auth.clockLeeway + minuteMs,
      pollMs: config.realtime.membershipCheck,
    },
  });
  const redis = await findRedis(config.redis, logger);
  const memories = createLogMemories({
    logger,
    outages,
    settings: { folder: config.database.memoryDir, redis, maxAgeMs: config.database.memoryAge },
  });
  const identity = await startLogEpoch({
    ...{ sql: reserved, look, memories, logger },
    settings: {
      checkMs: Math.min(config.realtime.headCheck, identityCheckMaxMs),
      restartWaitMs: config.database.restartWait,
    },
  });
  const profiles = createProfiles({ sql, settings: { max: 100_000, ttlMs: profilesTtlMs } });
  const hints = redis
    ? createRedisHints({ settings: redis, logger, outages, metrics: chatMetrics.hints, logId: identity.knownLogId })
    : createLocalHints();

  const contact = createContact({ blocks: createBlockLookup(sql), profiles });

  // The hub and the room service know each other: frames about memberships are made by whoever knows rooms.
  const rooms = createRooms();
  const { hub, watcherBans, reader, eventLog, roomService, roomRepository, membershipChanges, judge } = rooms;

  function createRooms() {
    const roomRepository = createRoomRepository({ sql, settings: { ...config.room, ...config.realtime } });
    const reader = createLogReader({ sql, look, profiles, settings: config.resume });
    const membershipChanges = createMembershipChanges(sql);
    const hub: Hub<RoomState> = createHub<RoomState>({
      log: { load: roomRepository.load, read: reader.read, heads: reader.heads },
      hints,
      onRevocationHint: () => {
        void revocations.sync().catch((error: unknown) => logger.debug({ error }, 'revocations could not be read'));
        watcherBans.look();
      },
      onMissing: (roomId, seq) =>
        void identity
          .suspect(roomId, seq)
          .catch((error: unknown) => logger.debug({ error }, 'a missing event could not be looked for')),
      membership: { joined: (roomId, userId) => roomService.describeJoined(roomId, userId), left: leftFrame },
      metrics: chatMetrics.hub,
      logger,
      settings: {
        ...config.realtime,
        replayPageEvents: config.resume.pageEvents,
        resumeMaxEvents: config.resume.maxEvents,
      },
    });
    const eventLog = createEventLog({
      db,
      openLane,
      hub,
      reader,
      revocations,
      identity,
      metrics: chatMetrics.eventLog,
      logger,
      outage: databaseOutage(outages),
      settings: {
        lanes: config.database.lanes,
        batchMax: config.message.batchMax,
        perRoomMax: config.message.perRoomMax,
        sendQueueMax: config.message.sendQueueMax,
        sendTimeout: config.message.sendTimeout,
        commitTimeout: statementTimeout + 500,
        lockTimeoutMs: ownSessions ? undefined : config.database.lockTimeout,
        mailDelay: config.notifications.email.enabled ? config.notifications.email.delay : undefined,
      },
    });
    const judge = createJudge({ ...options, metrics: chatMetrics, findSenderFacts: createSenderFacts(sql) });
    const roomService = createRoomService({
      db,
      repository: roomRepository,
      eventLog,
      hub,
      head: reader.head,
      profiles,
      contact,
      staffAccess: createStaffAccess(sql),
      judgeText: judge.text,
      recordAct,
      settings: config.room,
    });
    const watcherBans = startWatcherBans({ hub, db, logger, pollMs: config.realtime.headCheck });
    return { hub, watcherBans, reader, eventLog, roomService, roomRepository, membershipChanges, judge };
  }

  // Authority first: what is loaded again is judged by it.
  identity.onReplaced(revocations.startOver);
  identity.onReplaced(membershipChanges.startOver);
  identity.onReplaced(eventLog.startOver);
  identity.onReplaced(hub.beginAnew);

  const users = createUserRepository(db);
  const userService = createUserService({ db, repository: users, profiles, judgeName: judge.name });
  const messageRepository = createMessageRepository({ sql, profiles });
  const refusals = createRefusalLog({ sql, profiles });
  const flags = createFlagPolicy();
  const findMentioned = createMentionLookup({ profiles, contact });
  const later = startModerationRetries({
    ...{
      sql,
      config,
      logger,
      profiles,
      eventLog,
      hub,
      flags,
      contact,
      findMentioned,
      judge: judge.message,
      recordRefusal: refusals.record,
    },
  });
  const pages = createHistoryPages({
    repository: messageRepository,
    readUncachedPage: createUncachedNewestPages({ sql, profiles }),
    settings: { cacheBytes: config.message.historyCacheBytes, ttlMs: profilesTtlMs },
  });
  identity.onReplaced(pages.startOver);
  const messages = createMessageService({
    judge: judge.message,
    eventLog,
    repository: messageRepository,
    pages,
    profiles,
    follow: roomService.follow,
    followToRead: roomService.followToRead,
    findFeed: hub.feed,
    loadedFeed: hub.loadedFeed,
    contact,
    findMentioned,
    flags,
    recordRefusal: refusals.record,
    recordAct,
    unmoderated: later.repository,
    settings: { ...config.message, admissionMs: config.message.admission, fallback: config.moderation.fallback },
  });
  const reads = createReadService({ sql, hub, follow: roomService.follow, unreadMax: config.room.unreadMax });

  // Who calls.
  const counters = redis
    ? createRedisCounters({ ...redis, fallbackWeight: config.limits.withoutRedis }, outages, (state) =>
        chatMetrics.breakers.set({ peer: 'redis-counters' }, state === 'closed' ? 0 : 1),
      )
    : createLocalCounters();
  const app = await createApp({
    settings: { ...config.http, ...config.limits, publicUrl, socketPath },
    counters,
    isCaller: (request) => vouched.isCaller(request),
    requireCaller: (request) => authenticator.fromRequest(request),
    metrics: chatMetrics.requests,
    logger,
    version,
  });
  const people = {
    config,
    publicUrl,
    db,
    logger,
    outages,
    users,
    profiles,
    revocations,
    counters,
    judgeName: judge.name,
  };
  const origins = createPageOrigins({ ...config.http, publicUrl }, logger);
  const tokens = await startLoginTokens({ ...people, app, origins });
  const vouched = createIdentityWiring({ ...people, ...tokens, registry: metrics.registry, rooms: roomService });
  const { authenticator } = vouched;
  const logins = await createLogins({
    ...people,
    tokens,
    authenticator,
    embedded,
    onRevoked: hints.announceRevocation,
  });
  const privacy = startPrivacy({
    ...people,
    ...logins,
    ...{ hub, eventLog, authenticator },
    onRevoked: hints.announceRevocation,
  });

  // Sockets.
  const source: WelcomeSource = {
    snapshot: async (user) => {
      const [profile, { followed, beyond }] = await Promise.all([
        profiles.byIds([user.userId]),
        roomRepository.followedRooms(user.userId),
      ]);
      const person = profile.get(user.userId);
      if (!person) throw new Failure('unauthenticated', 'the account is gone');
      const named = followed.map(
        async ({ id, kind, name, seq, history, joinedSeq, lastReadSeq, unread, mentions, others }) => ({
          id,
          kind,
          name: await roomService.nameFor({ kind, name }, others),
          seq,
          readableFrom: history === 'joined' ? joinedSeq : 1,
          lastReadSeq,
          unread,
          mentions,
        }),
      );
      return { user: { ...person, role: user.role }, rooms: await Promise.all(named), beyond };
    },
    isRevoked: revocations.isRevoked,
    logId: identity.logId,
    endsOf: membershipChanges.endsOf,
    leftFrame,
  };
  const helloHandshake = createHelloHandshake({
    hub,
    source,
    metrics: chatMetrics.welcome,
    settings: {
      ...config.realtime,
      heartbeatMs: config.realtime.heartbeat,
      messageLengthMax: config.message.maxLength,
    },
  });
  const freeze = startProcessPauseWatch(config.realtime.frozen);
  const { socketsPerUser } = config.realtime;
  const userSockets = redis
    ? createRedisUserSockets({ ...redis, max: socketsPerUser }, outages)
    : createLocalUserSockets(socketsPerUser);
  const sockets = createSocketServer({
    hub,
    userSockets,
    greeter: {
      authenticate: authenticator.fromToken,
      welcome: helloHandshake.welcome,
      checkHello,
      confirm: authenticator.confirm,
    },
    handlers: {
      ...messageFrames(messages),
      ...readFrames(reads),
      ...roomFrames({
        hub,
        rooms: roomService,
        contact,
        nowMs: eventLog.nowMs,
        settings: { ...config.limits, roomsPerSocket: config.realtime.roomsPerSocket },
      }),
      ...logins.frames,
    },
    freeze,
    metrics: chatMetrics.sockets,
    logger,
    settings: { ...config.realtime, ...config.limits },
  });
  chatMetrics.watch({
    queueBytes: () => [...sockets.open()].reduce((sum, { queuedBytes }) => sum + queuedBytes, 0),
    sendsWaiting: eventLog.waiting,
    replaysWaiting: reader.waiting,
  });
  const connectionMaintenance = startConnectionMaintenance({
    hub,
    open: sockets.open,
    sources: {
      isRevoked: revocations.isRevoked,
      syncRevocations: revocations.sync,
      newMemberships: membershipChanges.newMemberships,
    },
    stalls: chatMetrics.stalls,
    logger,
    settings: { ...config.realtime, stallMs: config.realtime.stall },
  });
  revocations.onChange(connectionMaintenance.checkAuthority);

  // Doors.
  let draining = false;
  const isDraining = () => draining;
  const probe = createDatabaseProbe(reserved, config.database.acquireTimeout, databaseOutage(outages));
  // Clients that keep connections find another instance with their next request.
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (draining) void reply.header('connection', 'close');
    done();
  });
  refuseAbandonedRequests(app, freeze);
  addHealthRoutes(app, { readiness, isDraining });
  const databaseIsolation = startDatabaseIsolationWatch({
    probe,
    hints,
    // What is in flight has lost its database: there is nothing to wait for.
    sendAway: () => {
      sendAway(config.drain.window, (connection) => connection.close(closeCodes.restart, 'cut off')).catch(
        (error: unknown) => logger.error({ error }, 'connections could not be sent to other instances'),
      );
    },
    metric: chatMetrics.databaseIsolation,
    logger,
    settings: { checkMs: config.realtime.headCheck, cutOffAfterMs: config.realtime.cutOffAfter },
  });
  if (config.metrics.port === 0) addMetricsRoute(app, metrics);
  await addSocketRoute(app, {
    sockets,
    authenticator,
    isLeaving: () => draining || databaseIsolation.isCutOff(),
    isCrowded: helloHandshake.isFull,
    onCrowded: helloHandshake.countRefused,
    origins,
    settings: {
      ...config.realtime,
      socketsMax: config.http.connectionsMax,
      headersMax: config.http.headersMax,
    },
  });
  const notifications = createNotificationService(db);
  const idempotency = createIdempotencyKeys({ db, logger, settings: config.http });
  const moderation = createModerationWiring({
    ...{ db, sql, config, logger, profiles, eventLog, revocations, refusals, authenticator, idempotency },
    sessions: logins.sessions,
    rooms: roomService,
    messages,
    onRevoked: hints.announceRevocation,
    signalUser: hub.signalUser,
    onRoomBan: () => {
      hints.announceRevocation();
      watcherBans.look();
    },
  });
  const loginLimit = { max: config.limits.loginsPerMinute, timeWindow: minuteMs };
  await app.register(keyRoutes, { keys: tokens.keys });
  await app.register(
    async (v1) => {
      await v1.register(logins.routes);
      await vouched.register(v1, {
        ...{ ...logins, idempotency, loginLimit },
        onRevoked: hints.announceRevocation,
      });
      await privacy.register(v1);
      await v1.register(userRoutes, { users: userService, authenticator });
      await v1.register(roomRoutes, {
        rooms: roomService,
        findMessages: messageRepository.bySeqs,
        authenticator,
        idempotency,
        limits: config.room,
      });
      await v1.register(inviteRoutes, {
        invites: createInviteService({
          ...{
            db,
            eventLog,
            hub,
            follow: roomService.follow,
            describe: roomService.get,
            secretCipher: logins.secretCipher,
          },
          settings: { ...config.room, publicUrl },
        }),
        authenticator,
        idempotency,
      });
      await v1.register(messageRoutes, { messages, authenticator });
      await v1.register(eventRoutes, { followToRead: roomService.followToRead, reader, authenticator });
      await v1.register(readRoutes, { reads, authenticator });
      await v1.register(roomNotificationRoutes, {
        roomNotifications: createRoomNotificationService({ db, follow: roomService.follow }),
        authenticator,
      });
      await v1.register(notificationRoutes, { notifications, authenticator });
      await v1.register(unsubscribeRoutes, { notifications });
      await v1.register(moderation.routes);
    },
    { prefix: '/v1' },
  );
  const isPublic = !isLoopbackHost(new URL(publicUrl).hostname);
  if (config.role === 'all' && !config.smtp.url && config.environment === 'development')
    await app.register(mailboxRoutes, {
      db,
      authenticator,
      // What is reached through a public address may come from anybody, whatever the request looks like.
      isLocal: (request) => !isPublic && isLocalCaller(request),
    });
  const hasPage = await addWebPage(app);
  const setupToken = embedded ? await logins.firstAdmin.issueToken() : undefined;
  await judge.warmUp();
  await app.listen({ host: config.http.host, port: config.http.port, backlog: 4096 });
  const url = `http://localhost:${(app.server.address() as { port: number }).port}`;

  async function readiness(): Promise<Readiness> {
    const database = await probe();
    const link = redis ? hints.state() : 'off';
    return { ready: database === 'up', dependencies: { database, redis: link, processing: judge.state() } };
  }

  /** Tells each socket when to come back, and closes them spread over the window. */
  async function sendAway(windowMs: number, end: (connection: Connection) => void): Promise<void> {
    const all = [...sockets.open()];
    if (all.length === 0) return;
    for (const connection of all) {
      connection.send({
        type: 'notice',
        code: 'restart',
        message: 'this server is going down; connect again',
        retryAfterMs: Math.floor(Math.random() * config.drain.window),
      });
    }
    const slices = Math.max(1, Math.min(50, all.length));
    for (let slice = 0; slice < slices; slice++) {
      await pause(Math.max(0, windowMs) / slices);
      for (let at = slice; at < all.length; at += slices) end(all[at]!);
    }
  }

  /** Peers that do not answer a close frame are not waited for. */
  async function socketsGone(): Promise<void> {
    while (sockets.openCount() > 0) await pause(10);
  }

  async function idle(): Promise<void> {
    while (sockets.busy() > 0) await pause(10);
    await eventLog.drain();
  }

  return {
    url,
    hasPage,
    setupLink: setupToken === undefined ? undefined : setupLink(config.publicUrl ?? url, setupToken),
    stop: async (deadlineMs) => {
      // The door stays open until the sockets are gone: whoever asks meanwhile is told to go elsewhere, not refused by TCP.
      draining = true;
      await stopInOrder(logger, [
        [
          'sockets',
          () =>
            atMostUntil(
              deadlineMs - 1000,
              sendAway(Math.min(config.drain.window, deadlineMs - performance.now() - 2000), (connection) =>
                sockets.retire(connection, closeCodes.restart, 'service restart'),
              ),
            ),
        ],
        ['work', () => atMostUntil(deadlineMs - 500, idle())],
        ['goodbyes', () => atMostUntil(Math.min(deadlineMs - 500, performance.now() + goodbyeMs), socketsGone())],
        [
          'silent sockets',
          () => {
            for (const connection of sockets.open()) connection.socket.terminate();
          },
        ],
        ['requests', () => atMostUntil(deadlineMs - 500, app.close())],
        ['listener', () => app.server.closeAllConnections()],
        ['socket server', sockets.stop],
        ['cut-off watch', databaseIsolation.stop],
        ['caretaker', connectionMaintenance.stop],
        ['freeze watch', freeze.stop],
        ['watchers', watcherBans.stop],
        ['hub', hub.stop],
        ['erasures', privacy.stop],
        ['event log', eventLog.stop],
        ['log identity', identity.stop],
        ['later judgement', later.stop],
        ['moderation', moderation.stop],
        ['judge', judge.stop],
        ['providers', vouched.stop],
        ['logins', logins.stop],
        ['counters', counters.stop],
        ['user sockets', userSockets.stop],
        ['revocations', revocations.stop],
        ['hints', hints.stop],
        ['database', () => Promise.all([closeDatabase(), sql.end({ timeout: 2 }), reserved.end({ timeout: 2 })])],
      ]);
    },
  };
}

function leftFrame(roomId: string, reason: string, lastSeq: number): string {
  return JSON.stringify({ type: 'room.left', roomId, data: { reason, lastSeq } });
}

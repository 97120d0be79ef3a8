/** The chat role: REST, WebSocket and the page. A list of parts; the rules about chatting are in `src/chat/`. */
import { setupLink } from '../auth/account/first-admin.ts';
import { createContact } from '../chat/membership/contact.ts';
import { createSenderFacts } from '../chat/messages/sender-facts.ts';
import { createDatabaseProbe, databaseOutage } from '../database/database-probe.ts';
import { addHealthRoutes } from '../http/health.ts';
import { addMetricsRoute } from '../http/metrics.ts';
import type { App } from '../http/server/app-type.ts';
import { addWebPage } from '../http/web-page.ts';
import { startRoomJobs } from '../jobs/room-jobs.ts';
import type { JobPool } from '../jobs/runner/job-pool.ts';
import type { ProcessingTransport } from '../processing/client/processing-transport.ts';
import type { TextEngine } from '../processing/engine/text-task.ts';
import { type DatabaseIsolationWatch, startDatabaseIsolationWatch } from '../realtime/cluster/database-isolation.ts';
import { refuseAbandonedRequests } from '../realtime/gateway/abandoned-requests.ts';
import { addSocketRoute } from '../realtime/gateway/socket-route.ts';
import { closeCodes } from '../realtime/socket/connection.ts';
import { addEventStreamRoute } from '../realtime/sse/event-stream-route.ts';
import { createBlockLookup } from '../user/blocks/block-lookup.ts';
import { createProfiles } from '../user/profile/profiles.ts';
import { atMostUntil, type RoleContext, type RunningRole, stopInOrder } from './lifecycle/role-lifecycle.ts';
import { registerApi } from './wiring/api-wiring.ts';
import { addSocketDescription } from './wiring/async-api.ts';
import { type CallerWiring, startCallerWiring } from './wiring/caller-wiring.ts';
import { type ChatConnections, connectChat } from './wiring/chat-connections.ts';
import { type ChatDrain, createChatDrain } from './wiring/chat-drain.ts';
import { type ChatMetrics, createChatMetrics } from './wiring/chat-metrics.ts';
import { type Cluster, startCluster } from './wiring/cluster-wiring.ts';
import { type ConversationWiring, startConversation } from './wiring/conversation-wiring.ts';
import { createJudge, type JudgeWiring } from './wiring/judge-wiring.ts';
import { openSecretCipher } from './wiring/login-wiring.ts';
import { createMessageParts } from './wiring/message-parts.ts';
import { type MessageWiring, startMessageWiring } from './wiring/message-wiring.ts';
import type { ModerationWiring } from './wiring/moderation-wiring.ts';
import { createRoomWiring, type RoomWiring } from './wiring/room-wiring.ts';
import { type SocketWiring, startSocketWiring } from './wiring/socket-wiring.ts';

export interface ChatRoleOptions extends RoleContext {
  readonly databaseUrl: string;
  readonly embedded: boolean;
  /** The engine of this process, the fallback of remote instances. */
  readonly localEngine: TextEngine | undefined;
  /** The processing service of this process, in role `all`. */
  readonly memoryTransport: ProcessingTransport | undefined;
}

export interface ChatRole extends RunningRole {
  readonly url: string;
  readonly hasPage: boolean;
  /** Creates the first admin; undefined if there is an admin, or if the database is not embedded. */
  readonly setupLink: string | undefined;
}

type DatabaseProbe = ReturnType<typeof createDatabaseProbe>;

/** In a drain, sockets get this time to answer the close frame. */
const goodbyeMs = 1000;
/** A changed name shows in cached data after this time. */
const profilesTtlMs = 2000;

export async function startChatRole(options: ChatRoleOptions): Promise<ChatRole> {
  const { config, logger, outages, embedded } = options;
  const publicUrl = config.publicUrl ?? `http://localhost:${config.http.port}`;
  const metrics = createChatMetrics(options.metrics.registry);

  const connections = connectChat({ config, databaseUrl: options.databaseUrl, metrics });
  const { db, sql, reserved } = connections;
  const cluster = await startCluster({ config, logger, outages, reserved, metrics });
  const profiles = createProfiles({ sql, settings: { max: 100_000, ttlMs: profilesTtlMs } });
  const blocks = createBlockLookup(sql);
  const contact = createContact({ blocks, profiles });
  const judge = createJudge({ ...options, metrics, findSenderFacts: createSenderFacts(sql) });

  const secretCipher = await openSecretCipher({ config, logger, db, embedded });
  const parts = createMessageParts({ config, db, profiles, linkKey: secretCipher.deriveKey('file links') });
  const shared = {
    config,
    logger,
    outages,
    publicUrl,
    connections,
    cluster,
    metrics,
    profiles,
    blocks,
    contact,
    parts,
  };
  const rooms = createRoomWiring({ ...shared, judgeText: judge.text });
  const messages = startMessageWiring({ ...shared, sql, rooms, judge: judge.message, profilesTtlMs });
  startOverWithLog(cluster, rooms, messages);
  const callers = await startCallerWiring({
    ...{ ...options, db, sql, publicUrl, cluster, rooms, profiles, parts, secretCipher },
    judgeName: judge.name,
    judgeStatus: judge.status,
    chatMetrics: metrics,
  });
  const conversation = startConversation({ ...shared, rooms, messages, callers, judge });
  const gateway = startSocketWiring({ ...shared, rooms, messages, callers, conversation });
  const drain = createChatDrain({
    sockets: gateway.sockets,
    eventLog: rooms.eventLog,
    windowMs: config.drain.window,
  });
  const { app, logins } = callers;

  const probe = createDatabaseProbe(reserved, config.database.acquireTimeout, databaseOutage(outages));
  addSocketDescription(app, gateway.handlers, options.version);
  addOperationRoutes(app, { options, cluster, judge, gateway, drain, probe });
  const isolation = watchIsolation(options, { cluster, drain, probe, metric: metrics.databaseIsolation });
  const socketsMax = config.http.connectionsMax;
  const entrance = {
    sockets: gateway.sockets,
    authenticator: callers.identities.authenticator,
    isLeaving: () => drain.isDraining() || isolation.isIsolated(),
    isCrowded: gateway.helloHandshake.isFull,
    onCrowded: gateway.helloHandshake.countRefused,
    origins: callers.origins,
  };
  await addSocketRoute(app, {
    ...entrance,
    settings: { ...config.realtime, socketsMax, headersMax: config.http.headersMax },
  });
  addEventStreamRoute(app, { ...entrance, socketsMax });
  const moderation = await registerApi({ ...shared, rooms, messages, callers, conversation });
  const hasPage = await addWebPage(app);

  const setupToken = embedded ? await logins.firstAdmin.issueToken() : undefined;
  await judge.warmUp();
  await app.listen({ host: config.http.host, port: config.http.port, backlog: 4096 });
  const url = `http://localhost:${(app.server.address() as { port: number }).port}`;
  const roomJobs = startRoomJobs({
    ...{ ...options, db, registry: options.metrics.registry },
    tasks: conversation.tasks,
    settings: jobPoolSettings(config),
  });
  const running = {
    ...{
      config,
      logger,
      connections,
      cluster,
      judge,
      rooms,
      messages,
      callers,
      gateway,
      drain,
      isolation,
      moderation,
      conversation,
      roomJobs,
    },
  };
  return {
    url,
    hasPage,
    setupLink: setupToken === undefined ? undefined : setupLink(config.publicUrl ?? url, setupToken),
    stop: (deadlineMs) => stopChat(running, deadlineMs),
  };
}

function jobPoolSettings({ jobs, database }: ChatRoleOptions['config']) {
  const { statementTimeout: statementTimeoutMs, connectTimeout: connectTimeoutMs, pooling } = database;
  return { jobs, statementTimeoutMs, connectTimeoutMs, pooling };
}

interface ChatParts extends Pick<RoleContext, 'config' | 'logger'> {
  readonly connections: ChatConnections;
  readonly cluster: Cluster;
  readonly judge: JudgeWiring;
  readonly rooms: RoomWiring;
  readonly messages: MessageWiring;
  readonly callers: CallerWiring;
  readonly gateway: SocketWiring;
  readonly drain: ChatDrain;
  readonly isolation: DatabaseIsolationWatch;
  readonly moderation: Pick<ModerationWiring, 'stop'>;
  readonly conversation: ConversationWiring;
  readonly roomJobs: JobPool;
}

/** Health and metrics, and the hooks that tell clients about a drain. */
function addOperationRoutes(
  app: App,
  {
    options,
    cluster,
    judge,
    gateway,
    drain,
    probe,
  }: Pick<ChatParts, 'cluster' | 'judge' | 'gateway' | 'drain'> & { options: ChatRoleOptions; probe: DatabaseProbe },
): void {
  // Clients that keep connections alive reach another instance with their next request.
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (drain.isDraining()) void reply.header('connection', 'close');
    done();
  });
  refuseAbandonedRequests(app, gateway.wakeGrace);
  addHealthRoutes(app, {
    readiness: async () => {
      const database = await probe();
      const redis = cluster.redis ? cluster.hints.state() : 'off';
      return { ready: database === 'up', dependencies: { database, redis, processing: judge.state() } };
    },
    isDraining: drain.isDraining,
  });
  if (options.config.metrics.port === 0) addMetricsRoute(app, options.metrics);
}

async function stopChat(parts: ChatParts, deadlineMs: number): Promise<void> {
  const { config, logger, connections, cluster, rooms, callers, gateway, drain } = parts;
  const { sockets } = gateway;
  const untilMs = (beforeMs: number) => deadlineMs - beforeMs;
  function sendAway(): Promise<void> {
    const windowMs = Math.min(config.drain.window, deadlineMs - performance.now() - 2000);
    return drain.sendAway(windowMs, (connection) => sockets.retire(connection, closeCodes.restart, 'service restart'));
  }

  drain.begin();
  // The listener stays open until the sockets are gone, so that a new request gets an answer and not a TCP reset.
  await stopInOrder(logger, [
    ['sockets', () => atMostUntil(untilMs(1000), sendAway())],
    ['room jobs', () => atMostUntil(untilMs(1000), parts.roomJobs.stop())],
    ['work', () => atMostUntil(untilMs(500), drain.idle())],
    ['goodbyes', () => atMostUntil(Math.min(untilMs(500), performance.now() + goodbyeMs), drain.socketsGone())],
    ['silent sockets', () => [...sockets.open()].map(({ socket }) => socket.terminate())],
    ['requests', () => atMostUntil(untilMs(500), callers.app.close())],
    ['listener', () => callers.app.server.closeAllConnections()],
    ['socket server', sockets.stop],
    ['database isolation watch', parts.isolation.stop],
    ['connection maintenance', gateway.maintenance.stop],
    ['process pause detector', gateway.pauses.stop],
    ['watcher bans', rooms.watcherBans.stop],
    ['hub', rooms.hub.stop],
    ['erasures', callers.privacy.stop],
    ['event log', rooms.eventLog.stop],
    ['log epoch', cluster.epoch.stop],
    ['moderation retries', parts.messages.stop],
    ['conversation', parts.conversation.stop],
    ['moderation', parts.moderation.stop],
    ['judge', parts.judge.stop],
    ['identities', callers.identities.stop],
    ['logins', callers.logins.stop],
    ['counters', callers.counters.stop],
    ['user sockets', gateway.userSockets.stop],
    ['revocations', cluster.revocations.stop],
    ['hints', cluster.hints.stop],
    ['database', connections.close],
  ]);
}

/** Drops everything in memory when the log is replaced by another epoch. */
function startOverWithLog(
  { epoch, revocations }: Cluster,
  { membershipChanges, eventLog, hub }: RoomWiring,
  { pages }: MessageWiring,
): void {
  // Revocations and memberships come first: rooms that load again are checked against them.
  epoch.onReplaced(revocations.startOver);
  epoch.onReplaced(membershipChanges.startOver);
  epoch.onReplaced(eventLog.startOver);
  epoch.onReplaced(hub.startOver);
  epoch.onReplaced(pages.startOver);
}

/** Sends the clients to other instances while only this one has lost the database. */
function watchIsolation(
  { config, logger }: ChatRoleOptions,
  {
    cluster,
    drain,
    probe,
    metric,
  }: Pick<ChatParts, 'cluster' | 'drain'> & { probe: DatabaseProbe; metric: ChatMetrics['databaseIsolation'] },
): DatabaseIsolationWatch {
  return startDatabaseIsolationWatch({
    probe,
    hints: cluster.hints,
    // Work in flight has lost its database, so connections close at once instead of waiting for it.
    sendAway: () => {
      drain
        .sendAway(config.drain.window, (connection) => connection.close(closeCodes.restart, 'cut off'))
        .catch((error: unknown) => logger.error({ error }, 'sending clients to other instances failed'));
    },
    metric,
    logger,
    settings: { checkMs: config.realtime.headCheck, isolatedAfterMs: config.realtime.cutOffAfter },
  });
}

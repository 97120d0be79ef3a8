/**
 * The event log, the hub and the services about rooms. The hub asks the room views for the frames about memberships, and
 * the room views read rooms from the hub, so both are created in one place.
 */
import { createEventLog, type EventLog } from '../../chat/events/event-log.ts';
import { createLogReader, type LogReader } from '../../chat/events/log-reader.ts';
import type { Contact } from '../../chat/membership/contact.ts';
import { createMemberService, type MemberService } from '../../chat/membership/member-service.ts';
import { createMembershipChanges, type MembershipChanges } from '../../chat/membership/membership-change-repository.ts';
import { startWatcherBans, type WatcherBans } from '../../chat/membership/watcher-bans.ts';
import { recordFlag } from '../../chat/messages/flag-repository.ts';
import { createRoomAccess, type RoomAccess } from '../../chat/rooms/room-access.ts';
import { createRoomCreation, type RoomCreation } from '../../chat/rooms/room-creation.ts';
import { createRoomLists, type RoomLists } from '../../chat/rooms/room-list-repository.ts';
import { createRoomService, type RoomService } from '../../chat/rooms/room-service.ts';
import { createRoomLoader } from '../../chat/rooms/room-state-repository.ts';
import { createRoomTexts, type JudgeText } from '../../chat/rooms/room-texts.ts';
import { createRoomViews, type RoomViews } from '../../chat/rooms/room-views.ts';
import { createStaffAccess } from '../../chat/rooms/staff-access-repository.ts';
import type { RoomState } from '../../chat/state/room-state.ts';
import type { Config } from '../../config/load.ts';
import { databaseOutage } from '../../database/database-probe.ts';
import { recordAct } from '../../moderation/records/audit-log.ts';
import { createHub, type Hub } from '../../realtime/feed/hub.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { RoleContext } from '../lifecycle/role-lifecycle.ts';
import type { ChatConnections } from './chat-connections.ts';
import type { ChatMetrics } from './chat-metrics.ts';
import type { Cluster } from './cluster-wiring.ts';
import type { MessageParts } from './message-parts.ts';

export interface RoomWiringOptions extends Pick<RoleContext, 'config' | 'logger' | 'outages'> {
  readonly connections: ChatConnections;
  readonly cluster: Cluster;
  readonly metrics: ChatMetrics;
  readonly profiles: Profiles;
  readonly contact: Contact;
  readonly judgeText: JudgeText;
  readonly parts: MessageParts;
}

export interface RoomWiring {
  readonly hub: Hub<RoomState>;
  readonly reader: LogReader;
  readonly eventLog: EventLog;
  readonly roomAccess: RoomAccess;
  readonly roomViews: RoomViews;
  readonly roomLists: RoomLists;
  readonly roomCreation: RoomCreation;
  readonly roomService: RoomService;
  readonly memberService: MemberService;
  readonly membershipChanges: MembershipChanges;
  readonly watcherBans: WatcherBans;
}

export function createRoomWiring(options: RoomWiringOptions): RoomWiring {
  const { config, logger, connections, cluster, metrics, profiles, contact, parts } = options;
  const { db, sql } = connections;
  const { revocations, epoch, hints, freshness } = cluster;
  const reader = createLogReader({ sql, freshness, profiles, extras: parts.extras, settings: config.resume });
  const membershipChanges = createMembershipChanges(sql);
  const hub: Hub<RoomState> = createHub<RoomState>({
    log: { load: createRoomLoader(sql), read: reader.read, heads: reader.heads },
    hints,
    onRevocationHint: () => {
      void revocations.sync().catch((error: unknown) => logger.debug({ error }, 'revocations could not be read'));
      watcherBans.look();
    },
    onMissing: (roomId, seq) =>
      void epoch
        .suspect(roomId, seq)
        .catch((error: unknown) => logger.debug({ error }, 'the search for a missing event failed')),
    membership: { joined: (roomId, userId) => roomViews.describeJoined(roomId, userId), left: leftFrame },
    metrics: metrics.hub,
    logger,
    settings: {
      ...config.realtime,
      replayPageEvents: config.resume.pageEvents,
      resumeMaxEvents: config.resume.maxEvents,
    },
  });
  const eventLog = createEventLog({
    db,
    openConnection: connections.openCommitConnection,
    hub,
    reader,
    revocations,
    epoch,
    writers: parts.writers,
    recordFlag,
    metrics: metrics.eventLog,
    logger,
    outage: databaseOutage(options.outages),
    settings: eventLogSettings(config, connections),
  });
  const roomAccess = createRoomAccess({ db, hub, head: reader.head, staffAccess: createStaffAccess(sql) });
  const roomViews: RoomViews = createRoomViews({ hub, profiles });
  const requireTexts = createRoomTexts(options.judgeText, config.room);
  const shared = { db, sql, hub, eventLog, profiles, contact, recordAct, requireTexts, settings: config.room };
  const watcherBans = startWatcherBans({ hub, db, logger, pollMs: config.realtime.headCheck });
  return {
    ...{ hub, reader, eventLog, roomAccess, roomViews, membershipChanges, watcherBans },
    roomLists: createRoomLists({ sql, settings: { ...config.room, ...config.realtime } }),
    roomCreation: createRoomCreation({ ...shared, access: roomAccess, views: roomViews }),
    roomService: createRoomService({ ...shared, access: roomAccess, views: roomViews }),
    memberService: createMemberService({ ...shared, ...roomAccess }),
  };
}

function eventLogSettings({ database, message, notifications, previews }: Config, { ownSessions }: ChatConnections) {
  const { email } = notifications;
  return {
    connections: database.lanes,
    batchMax: message.batchMax,
    perRoomMax: message.perRoomMax,
    sendQueueMax: message.sendQueueMax,
    sendTimeout: message.sendTimeout,
    admissionMs: message.admission,
    commitTimeout: database.statementTimeout + 500,
    lockTimeoutMs: ownSessions ? undefined : database.lockTimeout,
    mailDelay: email.enabled ? email.delay : undefined,
    previews: previews.enabled,
  };
}

/** The frame that tells a connection that its user's membership of a room has ended. */
export function leftFrame(roomId: string, reason: string, lastSeq: number): string {
  return JSON.stringify({ type: 'room.left', roomId, data: { reason, lastSeq } });
}

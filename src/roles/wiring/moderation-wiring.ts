/** Moderation in the chat role: reports, queue, rules, bans, lessons, audit log, staff access. */
import type { FastifyPluginAsync } from 'fastify';
import type { Logger } from 'pino';
import { createLoginBans } from '../../auth/login/login-bans.ts';
import type { Revocations } from '../../auth/sessions/revocations.ts';
import type { SessionStore } from '../../auth/sessions/session-store.ts';
import type { EventLog } from '../../chat/events/event-log.ts';
import type { ExtrasLoader } from '../../chat/messages/extras-loader.ts';
import { createLateVerdicts, type LateVerdictOptions } from '../../chat/messages/late-verdict.ts';
import type { MessageService } from '../../chat/messages/message-service.ts';
import { startModerationRetry } from '../../chat/messages/moderation-retry.ts';
import {
  createModerationRetryRepository,
  type ModerationRetryRepository,
} from '../../chat/messages/moderation-retry-repository.ts';
import type { RoomAccess } from '../../chat/rooms/room-access.ts';
import type { RoomState } from '../../chat/state/room-state.ts';
import type { Config } from '../../config/load.ts';
import type { Database, Sql } from '../../database/connect.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import type { IdempotencyKeys } from '../../http/idempotency.ts';
import { banRoutes } from '../../moderation/bans/ban-routes.ts';
import { createBanService } from '../../moderation/bans/ban-service.ts';
import { createRoomBans } from '../../moderation/bans/room-bans.ts';
import { lessonRoutes } from '../../moderation/lessons/lesson-routes.ts';
import { createLessonService } from '../../moderation/lessons/lesson-service.ts';
import { createQueueRepository } from '../../moderation/queue/queue-repository.ts';
import { queueRoutes } from '../../moderation/queue/queue-routes.ts';
import { createQueueService } from '../../moderation/queue/queue-service.ts';
import { reportRoutes } from '../../moderation/queue/report-routes.ts';
import { createReportService } from '../../moderation/queue/report-service.ts';
import { createAuditLog, recordAct } from '../../moderation/records/audit-log.ts';
import { startModerationRetention } from '../../moderation/records/moderation-retention.ts';
import { recordRoutes } from '../../moderation/records/record-routes.ts';
import type { RefusalLog } from '../../moderation/records/refusal-log.ts';
import { createDryRunService } from '../../moderation/rules/dry-run-service.ts';
import { ruleRoutes } from '../../moderation/rules/rule-routes.ts';
import { createRuleService } from '../../moderation/rules/rule-service.ts';
import { createModeratorAccess } from '../../moderation/scope/moderator-access.ts';
import { accessRoutes } from '../../moderation/staff-access/staff-access-routes.ts';
import { createStaffAccessService } from '../../moderation/staff-access/staff-access-service.ts';
import { createLearnedExamples } from '../../processing/engine/learned-examples.ts';
import { createRuleDryRun } from '../../processing/engine/rule-dry-run.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { Profiles } from '../../user/profile/profiles.ts';

export interface ModerationWiring {
  readonly routes: FastifyPluginAsync;
  readonly stop: () => void;
}

export interface ModerationWiringOptions {
  readonly db: Database;
  readonly sql: Sql;
  readonly config: Config;
  readonly logger: Logger;
  readonly profiles: Profiles;
  readonly follow: RoomAccess['follow'];
  readonly messages: MessageService;
  readonly eventLog: EventLog;
  readonly sessions: SessionStore;
  readonly revocations: Revocations;
  readonly onRevoked: () => void;
  /** Tells every instance to look for watchers who are banned from a room now. */
  readonly onRoomBan: () => void;
  /** Sends a frame to all connections of a user. */
  readonly signalUser: (userId: string, json: string) => void;
  readonly refusals: RefusalLog;
  readonly snapshot: ExtrasLoader['snapshot'];
  readonly purge: ExtrasLoader['purge'];
  readonly authenticator: Authenticator;
  readonly idempotency: IdempotencyKeys;
}

/** Longest wait for the compilation of a rule. */
const compileTimeoutMs = 3000;

export function createModerationWiring(options: ModerationWiringOptions): ModerationWiring {
  const { db, sql, config, logger, profiles, follow, messages, eventLog, authenticator, idempotency } = options;
  const settings = config.moderation;
  const access = createModeratorAccess(follow);
  const repository = createQueueRepository({ sql, profiles });
  const learned = createLearnedExamples(sql);
  const roomBans = createRoomBans({ follow, eventLog, onRoomBan: options.onRoomBan, recordAct });
  const loginBans = createLoginBans(options);
  const bans = createBanService({ db, sql, access, eventLog, roomBans, loginBans, profiles, recordAct });
  const queue = createQueueService({
    access,
    repository,
    eventLog,
    roomBans,
    recordAct,
    teach: learned.storeDecision,
    snapshot: options.snapshot,
  });
  const reports = createReportService({ db, findMessage: messages.findToActOn, reportsPerDay: settings.reportsPerDay });
  const runner = createRuleDryRun({
    answerTimeoutMs: compileTimeoutMs,
    runTimeoutMs: settings.rehearsalTimeout,
    threadsMax: settings.rehearsalsMax,
  });
  const bounds = { rulesMax: settings.rulesMax, costMax: settings.ruleStepsMax };
  const rules = createRuleService({ db, sql, access, profiles, recordAct, compiler: runner, bounds });
  const tryRule = createDryRunService({ sql, access, profiles, runner, messagesMax: settings.rehearsalMessages });
  const staffAccess = createStaffAccessService({
    db,
    follow,
    signalUser: options.signalUser,
    recordAct,
    settings,
  });
  const retention = startModerationRetention({
    db,
    purge: options.purge,
    sql,
    keep: settings,
    logger,
  });

  return {
    routes: async (app) => {
      await app.register(reportRoutes, { reports, authenticator, idempotency });
      await app.register(queueRoutes, {
        queue,
        cursorOf: repository.cursorOf,
        authenticator,
      });
      await app.register(recordRoutes, {
        access,
        audit: createAuditLog({ sql, profiles }),
        refusals: options.refusals,
        authenticator,
      });
      await app.register(ruleRoutes, { rules, tryRule, authenticator, idempotency });
      await app.register(banRoutes, { bans, authenticator });
      await app.register(accessRoutes, { access: staffAccess, authenticator });
      await app.register(lessonRoutes, {
        lessons: createLessonService({ db, store: learned, profiles, recordAct }),
        authenticator,
      });
    },
    stop: retention.stop,
  };
}

/** Retries moderation of messages whose verdict timed out, in the fallback modes that keep them. */
export function startModerationRetries({
  sql,
  config,
  hub,
  logger,
  ...rest
}: Omit<LateVerdictOptions, 'findFeed' | 'signalUser'> & {
  sql: Sql;
  config: Config;
  hub: Hub<RoomState>;
  logger: Logger;
}): { readonly repository: ModerationRetryRepository; readonly stop: () => Promise<void> } {
  const repository = createModerationRetryRepository({ sql, settings: config.moderation });
  const { fallback, unjudgedPoll: pollMs } = config.moderation;
  if (fallback !== 'pending' && fallback !== 'open') return { repository, stop: async () => {} };
  const verdicts = createLateVerdicts({ ...rest, findFeed: hub.feed, signalUser: hub.signalUser });
  return { repository, stop: startModerationRetry({ repository, verdicts, logger, pollMs }).stop };
}

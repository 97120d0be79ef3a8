/** What users keep for later: drafts, bookmarks with reminders, and scheduled messages. */
import { claimReminders } from '../../chat/bookmarks/bookmark-repository.ts';
import { bookmarkRoutes } from '../../chat/bookmarks/bookmark-routes.ts';
import { createBookmarkService } from '../../chat/bookmarks/bookmark-service.ts';
import { startReminders } from '../../chat/bookmarks/reminders.ts';
import { savedDraftRoutes } from '../../chat/drafts/saved-draft-routes.ts';
import { createSavedDraftService } from '../../chat/drafts/saved-draft-service.ts';
import { claimScheduled, endClaim, forgetFinished, type Scheduled } from '../../chat/scheduled/scheduled-repository.ts';
import { scheduledRoutes } from '../../chat/scheduled/scheduled-routes.ts';
import { toScheduledShape } from '../../chat/scheduled/scheduled-schemas.ts';
import { startScheduledSender } from '../../chat/scheduled/scheduled-sender.ts';
import { createScheduledService } from '../../chat/scheduled/scheduled-service.ts';
import type { ConversationOptions, Feature } from './conversation-options.ts';

/** Messages claimed at once. */
const claimMax = 50;

export function startLater(options: ConversationOptions): Feature {
  const { config, logger, connections, rooms, messages, callers } = options;
  const { db, sql } = connections;
  const { authenticator } = callers.identities;
  const { signalUser } = rooms.hub;
  const shared = { db, signalUser, nowMs: rooms.eventLog.nowMs, ...rooms.roomAccess };
  const drafts = createSavedDraftService({
    ...shared,
    findThread: messages.repository.findThread,
    settings: { ...config.drafts, maxLength: config.message.maxLength },
  });
  const bookmarks = createBookmarkService({
    ...shared,
    findIn: messages.messages.findIn,
    findMessages: messages.messages.findAt,
    settings: config.bookmarks,
  });
  const reminders = startReminders({
    claim: (limit) => claimReminders(sql, limit),
    signalUser,
    logger,
    pollMs: config.bookmarks.poll,
  });
  const { scheduled, sender } = startScheduled(options);
  return {
    routes: async (v1) => {
      await v1.register(savedDraftRoutes, { drafts, authenticator });
      await v1.register(bookmarkRoutes, { bookmarks, authenticator });
      await v1.register(scheduledRoutes, { scheduled, authenticator });
    },
    tasks: { scheduled_messages: sender.sendDue, bookmark_reminders: reminders.remindDue },
    stop: async () => {
      await Promise.all([reminders.stop(), sender.stop()]);
    },
  };
}

function startScheduled({ config, logger, connections, cluster, rooms, messages }: ConversationOptions) {
  const { db, sql } = connections;
  const { signalUser } = rooms.hub;
  const { revocations } = cluster;
  const { ahead, perUser, poll, claim: claimMs, retryFor: giveUpMs, keep } = config.scheduled;
  const announce = (message: Scheduled) => {
    const { roomId, ...data } = toScheduledShape(message);
    signalUser(message.authorId, JSON.stringify({ type: 'scheduled.updated', roomId, data }));
  };
  const scheduled = createScheduledService({
    ...{ db, announce, follow: rooms.roomAccess.follow, nowMs: rooms.eventLog.nowMs },
    announceRemoved: ({ id, authorId, roomId }) =>
      signalUser(authorId, JSON.stringify({ type: 'scheduled.removed', roomId, data: { id } })),
    settings: { ahead, perUser, maxLength: config.message.maxLength },
  });
  const sender = startScheduledSender({
    claim: () => claimScheduled(sql, { claimMs, giveUpMs, limit: claimMax }),
    endClaim: (message, end) => endClaim(db, message, end),
    forgetFinished: () => forgetFinished(sql, keep),
    send: messages.messages.send,
    isBanned: async (userId) => {
      await revocations.sync();
      return revocations.bannedUntil(userId) !== undefined;
    },
    ...{ announce, signalUser, logger },
    pollMs: poll,
  });
  return { scheduled, sender };
}

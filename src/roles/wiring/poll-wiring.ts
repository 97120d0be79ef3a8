/** Polls: votes, and their end. What they add to messages is in message-parts.ts. */
import { pollFrames, pollRoutes } from '../../chat/polls/poll-routes.ts';
import { startPollService } from '../../chat/polls/poll-service.ts';
import type { ConversationOptions, Feature } from './conversation-options.ts';

export function startPolls({ config, logger, connections, rooms, callers, contact }: ConversationOptions): Feature {
  const { authenticator } = callers.identities;
  const polls = startPollService({
    db: connections.db,
    eventLog: rooms.eventLog,
    followToRead: rooms.roomAccess.followToRead,
    contact,
    counters: callers.counters,
    logger,
    settings: {
      ...config.polls,
      perMinute: config.limits.votesPerMinute,
      perRoomMax: config.polls.votesWaitingMax,
      waitingMax: config.polls.votesWaitingMax,
      waitMs: config.message.sendTimeout,
    },
  });
  return {
    routes: async (v1) => {
      await v1.register(pollRoutes, { polls, authenticator });
    },
    frames: pollFrames(polls),
    stop: async () => polls.stop(),
  };
}

/** Threads: what each user follows and has read of them. Their messages go the way of all messages. */
import { threadFrames } from '../../chat/threads/thread-frames.ts';
import { createThreadRepository } from '../../chat/threads/thread-repository.ts';
import { threadRoutes } from '../../chat/threads/thread-routes.ts';
import { createThreadService } from '../../chat/threads/thread-service.ts';
import type { ConversationOptions, Feature } from './conversation-options.ts';

export function createThreads(options: ConversationOptions): Feature {
  const { config, connections, rooms, messages, callers } = options;
  const threads = createThreadService({
    repository: createThreadRepository(connections.sql, config.room.unreadMax),
    hub: rooms.hub,
    followToRead: rooms.roomAccess.followToRead,
    findThread: messages.repository.findThread,
    findMessages: messages.messages.findAt,
    nameRoom: rooms.roomViews.nameFor,
  });
  return {
    routes: async (v1) => {
      await v1.register(threadRoutes, { threads, authenticator: callers.identities.authenticator });
    },
    frames: threadFrames(threads),
  };
}

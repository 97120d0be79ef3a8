/** Reactions, custom emoji and pins. */
import { emojiRoutes } from '../../chat/emojis/emoji-routes.ts';
import { createEmojiService } from '../../chat/emojis/emoji-service.ts';
import { pinRoutes } from '../../chat/pins/pin-routes.ts';
import { createPinService } from '../../chat/pins/pin-service.ts';
import { reactionFrames } from '../../chat/reactions/reaction-frames.ts';
import { reactionRoutes } from '../../chat/reactions/reaction-routes.ts';
import { createReactionService } from '../../chat/reactions/reaction-service.ts';
import { recordAct } from '../../moderation/records/audit-log.ts';
import type { ConversationOptions, Feature } from './conversation-options.ts';

export function createReactions(options: ConversationOptions): Feature {
  const { config, connections, rooms, messages, callers, profiles, contact, judge } = options;
  const { db } = connections;
  const { authenticator } = callers.identities;
  const shared = { db, eventLog: rooms.eventLog, followToRead: rooms.roomAccess.followToRead, contact, recordAct };
  const emojis = createEmojiService({ db, judgeText: judge.text, recordAct, settings: config.emojis });
  const { batchMax, perRoomMax, sendQueueMax: waitingMax, sendTimeout: waitMs, reactionsMax } = config.message;
  const reactions = createReactionService({
    ...shared,
    hasCustomEmoji: emojis.has,
    profiles,
    counters: callers.counters,
    settings: { batchMax, perRoomMax, waitingMax, waitMs, reactionsMax, perMinute: config.limits.reactionsPerMinute },
  });
  const pins = createPinService({
    ...shared,
    findMessages: messages.messages.findAt,
    counters: callers.counters,
    settings: { pinsMax: config.room.pinsMax, perMinute: config.limits.pinsPerMinute },
  });
  return {
    routes: async (v1) => {
      await v1.register(reactionRoutes, { reactions, authenticator });
      await v1.register(pinRoutes, { pins, authenticator });
      await v1.register(emojiRoutes, { emojis, authenticator, imageBytes: config.emojis.imageBytes });
    },
    frames: reactionFrames(reactions),
  };
}

/** Reactions over WebSocket; the REST twin is reaction-routes.ts. */
import { Type } from 'typebox';
import { Uuid } from '../../http/input/schemas.ts';
import { type FrameHandlers, frameHandler } from '../../realtime/gateway/frame-handlers.ts';
import { emojiLengthMax } from './reaction-emoji.ts';
import type { ReactionService } from './reaction-service.ts';

const ReactionFields = {
  roomId: Uuid,
  messageId: Uuid,
  emoji: Type.String({ minLength: 1, maxLength: emojiLengthMax }),
};

export function reactionFrames(reactions: Pick<ReactionService, 'add' | 'remove'>): FrameHandlers {
  return {
    'reaction.add': frameHandler(ReactionFields, ({ caller }, { roomId, messageId, emoji }) =>
      reactions.add(caller, { roomId, messageId, emoji }),
    ),
    'reaction.remove': frameHandler(ReactionFields, ({ caller }, { roomId, messageId, emoji }) =>
      reactions.remove(caller, { roomId, messageId, emoji }),
    ),
  };
}

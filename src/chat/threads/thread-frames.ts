/** Threads over WebSocket; the REST twin is thread-routes.ts. */
import { Type } from 'typebox';
import { Seq, Uuid } from '../../http/input/schemas.ts';
import { type FrameHandlers, frameHandler } from '../../realtime/gateway/frame-handlers.ts';
import type { ThreadService } from './thread-service.ts';

export function threadFrames(threads: ThreadService): FrameHandlers {
  return {
    'thread.read': frameHandler(
      { roomId: Uuid, messageId: Uuid, seq: Seq },
      async ({ caller }, { roomId, messageId, seq }) => ({
        ...(await threads.markRead(caller, { roomId, messageId }, seq)),
      }),
    ),
    'thread.follow': frameHandler(
      { roomId: Uuid, messageId: Uuid, following: Type.Boolean() },
      async ({ caller }, { roomId, messageId, following }) => ({
        ...(await threads.setFollowing(caller, { roomId, messageId }, following)),
      }),
    ),
  };
}

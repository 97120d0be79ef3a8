/** Polls over REST and WebSocket. A poll begins with a send: messages/message-routes.ts. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly, Uuid } from '../../http/input/schemas.ts';
import { type FrameHandlers, frameHandler } from '../../realtime/gateway/frame-handlers.ts';
import { PollShape } from '../state/message-extras.ts';
import type { PollService } from './poll-service.ts';

const tags = ['polls'];
const MessageParams = exactly({ roomId: Uuid, messageId: Uuid });
const Chosen = Type.Array(Type.Integer({ minimum: 0, maximum: 9 }), {
  maxItems: 10,
  uniqueItems: true,
  description: 'Indexes of the options. An empty list takes the vote back',
});

export const pollRoutes: FastifyPluginAsyncTypebox<{ polls: PollService; authenticator: Authenticator }> = async (
  app,
  { polls, authenticator },
) => {
  app.put(
    '/rooms/:roomId/messages/:messageId/vote',
    {
      schema: {
        tags,
        operationId: 'votePoll',
        summary: 'Vote in a poll',
        description:
          'Replaces the caller’s vote. The same vote again changes nothing. `conflict` when the poll is closed.',
        params: MessageParams,
        body: exactly({ options: Chosen }),
        response: answers(200, PollShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      await polls.vote(caller, request.params, request.body.options);
      return polls.find(caller, request.params);
    },
  );

  app.post(
    '/rooms/:roomId/messages/:messageId/poll/close',
    {
      schema: {
        tags,
        operationId: 'closePoll',
        summary: 'Close a poll',
        description: 'For its author and for moderators. A poll that is closed stays closed.',
        params: MessageParams,
        response: answers(200, PollShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      await polls.close(caller, request.params);
      return polls.find(caller, request.params);
    },
  );
};

export function pollFrames(polls: PollService): FrameHandlers {
  return {
    'poll.vote': frameHandler(
      { roomId: Uuid, messageId: Uuid, options: Chosen },
      async ({ caller }, { roomId, messageId, options }) => ({
        ...(await polls.vote(caller, { roomId, messageId }, options)),
      }),
    ),
    'poll.close': frameHandler({ roomId: Uuid, messageId: Uuid }, async ({ caller }, { roomId, messageId }) => ({
      ...(await polls.close(caller, { roomId, messageId })),
    })),
  };
}

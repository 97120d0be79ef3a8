/** The previews of a message over REST. They arrive by themselves; people can only remove them. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers } from '../../http/input/schemas.ts';
import { MessageParams } from '../messages/message-schemas.ts';
import type { PreviewService } from './preview-service.ts';

export const previewRoutes: FastifyPluginAsyncTypebox<{
  previews: Pick<PreviewService, 'remove'>;
  authenticator: Authenticator;
}> = async (app, { previews, authenticator }) => {
  app.delete(
    '/rooms/:roomId/messages/:messageId/previews',
    {
      schema: {
        tags: ['messages'],
        operationId: 'removePreviews',
        summary: 'Remove the previews of a message’s links',
        description:
          'By the author of the message, or a moderator. They are not fetched again, not even after an edit. Readers get `message.updated`.',
        params: MessageParams,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await previews.remove(await authenticator.fromRequest(request), request.params);
      return reply.code(204).send(null);
    },
  );
};

/** Drafts over REST. Other devices get `draft.updated` frames. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly, listOf, Nullable, named, Time, Uuid } from '../../http/input/schemas.ts';
import { requireDeployment } from '../../permissions.ts';
import type { SavedDraftService } from './saved-draft-service.ts';

const tags = ['drafts'];
const RoomParams = exactly({ roomId: Uuid });
const ThreadId = Type.Optional(
  Type.String({ ...Uuid, description: 'A message of the thread; without it, the draft of the room itself' }),
);

export const SavedDraftShape = named(
  'SavedDraft',
  Type.Object(
    {
      roomId: Uuid,
      threadId: Nullable(Uuid),
      text: Type.String(),
      attachmentIds: Type.Array(Uuid),
      updatedAt: Time,
    },
    { description: 'A message that its author has not sent yet. Of two versions, the one with the later time counts' },
  ),
);

export const savedDraftRoutes: FastifyPluginAsyncTypebox<{
  drafts: SavedDraftService;
  authenticator: Authenticator;
}> = async (app, { drafts, authenticator }) => {
  app.get(
    '/drafts',
    {
      schema: {
        tags,
        summary: 'List my drafts, newest first',
        description:
          'Drafts of rooms that I have left are not listed. `drafts.perUser` bounds the list, so it has one page.',
        operationId: 'listDrafts',
        response: answers(200, listOf(SavedDraftShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'keep_account');
      return { items: await drafts.list(caller), nextCursor: null };
    },
  );

  app.put(
    '/rooms/:roomId/draft',
    {
      schema: {
        tags,
        summary: 'Keep a draft',
        description:
          'Replaces the draft of the room, or of a thread in it. The last write wins. A draft without text and files is deleted. My connections get `draft.updated`. A send does not delete the draft: delete it when the message is acked.',
        operationId: 'putDraft',
        params: RoomParams,
        body: exactly({
          text: Type.String({ maxLength: 500_000 }),
          threadId: ThreadId,
          attachmentIds: Type.Optional(Type.Array(Uuid, { maxItems: 100 })),
        }),
        response: answers(200, SavedDraftShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { text, threadId, attachmentIds = [] } = request.body;
      return drafts.put(caller, { roomId: request.params.roomId, threadId }, { text, attachmentIds });
    },
  );

  app.delete(
    '/rooms/:roomId/draft',
    {
      schema: {
        tags,
        summary: 'Delete a draft',
        description: 'A repeat changes nothing.',
        operationId: 'deleteDraft',
        params: RoomParams,
        querystring: exactly({ threadId: ThreadId }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      await drafts.remove(caller, { roomId: request.params.roomId, threadId: request.query.threadId });
      return reply.code(204).send(null);
    },
  );
};

/** The moderation queue over REST. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { toPage } from '../../http/input/cursors.ts';
import { readLine } from '../../http/input/line-text.ts';
import { answers, exactly, listOf, Uuid } from '../../http/input/schemas.ts';
import { BanSeconds } from '../bans/ban-schemas.ts';
import { readPlace, ScopeQuery } from '../scope/list-place.ts';
import type { QueueRepository } from './queue-repository.ts';
import { QueueEntryShape } from './queue-schemas.ts';
import type { QueueService } from './queue-service.ts';

const tags = ['moderation'];
const EntryParams = exactly({ id: Uuid });
/** Code points of a note. */
const noteMax = 1000;

export const queueRoutes: FastifyPluginAsyncTypebox<{
  queue: QueueService;
  cursorOf: QueueRepository['cursorOf'];
  authenticator: Authenticator;
}> = async (app, { queue, cursorOf, authenticator }) => {
  const StateQuery = Type.Union([Type.Literal('open'), Type.Literal('approved'), Type.Literal('removed')]);
  app.get(
    '/moderation/queue',
    {
      schema: {
        tags,
        operationId: 'listModerationQueue',
        summary: 'List messages that were reported or flagged',
        description: 'Newest first. Without `roomId`, of all rooms; only for staff.',
        querystring: exactly({ ...ScopeQuery, state: Type.Optional(StateQuery) }),
        response: answers(200, listOf(QueueEntryShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, state = 'open', limit = 50, cursor } = request.query;
      const found = await queue.list(caller, { roomId, state, after: readPlace(cursor), limit });
      return toPage(found, limit, cursorOf);
    },
  );

  app.get(
    '/moderation/queue/:id',
    {
      schema: {
        tags,
        operationId: 'getQueueEntry',
        summary: 'Get an entry of the moderation queue',
        description: 'With the message as it is now and the reports about it.',
        params: EntryParams,
        response: answers(200, QueueEntryShape),
      },
    },
    async (request) => queue.get(await authenticator.fromRequest(request), request.params.id),
  );

  app.post(
    '/moderation/queue/:id',
    {
      schema: {
        tags,
        operationId: 'decideQueueEntry',
        summary: 'Decide about a message',
        description:
          '`remove` redacts the message for every reader and keeps its text for moderators. `approve` leaves the message, or restores it after a removal.',
        params: EntryParams,
        body: exactly({
          decision: Type.Union([Type.Literal('approve'), Type.Literal('remove')]),
          note: Type.Optional(Type.String({ maxLength: 10_000 })),
          ban: Type.Optional(
            Type.Object(
              { seconds: Type.Optional(BanSeconds) },
              {
                additionalProperties: false,
                description: 'Bans the author from this room; without `seconds` until the ban is lifted',
              },
            ),
          ),
        }),
        response: answers(200, QueueEntryShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { note, ...decision } = request.body;
      const line = readLine(note, '/note', { max: noteMax, tooLong: 'too_large' });
      return queue.decide(caller, request.params.id, { ...decision, ...(line === undefined ? {} : { note: line }) });
    },
  );
};

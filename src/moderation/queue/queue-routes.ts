/** The moderators' queue, their audit log, and what was refused without them. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { readCursor, toPage } from '../../http/input/cursors.ts';
import { readLine } from '../../http/input/line-text.ts';
import { answers, exactly, listOf, Uuid } from '../../http/input/schemas.ts';
import type { AuditLog } from '../records/audit-log.ts';
import type { RefusalLog } from '../records/refusal-log.ts';
import {
  AuditShape,
  BanSeconds,
  QueueEntryShape,
  RefusalShape,
  readPlace,
  ScopeQuery,
} from '../scope/moderation-schemas.ts';
import type { ModeratorAccess } from '../scope/moderator-access.ts';
import type { QueueRepository } from './queue-repository.ts';
import type { QueueService } from './queue-service.ts';

const tags = ['moderation'];
const EntryParams = exactly({ id: Uuid });
/** Code points of a note. */
const noteMax = 1000;

export const queueRoutes: FastifyPluginAsyncTypebox<{
  queue: QueueService;
  cursorOf: QueueRepository['cursorOf'];
  access: ModeratorAccess;
  audit: AuditLog;
  refusals: RefusalLog;
  authenticator: Authenticator;
}> = async (app, { queue, cursorOf, access, audit, refusals, authenticator }) => {
  const StateQuery = Type.Union([Type.Literal('open'), Type.Literal('approved'), Type.Literal('removed')]);
  app.get(
    '/moderation/queue',
    {
      schema: {
        tags,
        summary: 'What was reported or flagged, newest first; without roomId in all rooms, for the staff',
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
      schema: { tags, summary: 'One entry of the queue', params: EntryParams, response: answers(200, QueueEntryShape) },
    },
    async (request) => queue.get(await authenticator.fromRequest(request), request.params.id),
  );

  app.post(
    '/moderation/queue/:id',
    {
      schema: {
        tags,
        summary: 'Decide: approve leaves the message or gives it back, remove takes it from every reader',
        params: EntryParams,
        body: exactly({
          decision: Type.Union([Type.Literal('approve'), Type.Literal('remove')]),
          note: Type.Optional(Type.String({ maxLength: 10_000 })),
          ban: Type.Optional(
            Type.Object(
              { seconds: Type.Optional(BanSeconds) },
              {
                additionalProperties: false,
                description: 'Keeps the author out of this room; without seconds for good',
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

  app.get(
    '/moderation/audit',
    {
      schema: {
        tags,
        summary: 'What moderators did, newest first',
        querystring: exactly(ScopeQuery),
        response: answers(200, listOf(AuditShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, limit = 50, cursor } = request.query;
      await access.require(caller, roomId);
      return toPage(await audit.list(roomId, readPlace(cursor), limit), limit, audit.cursorOf);
    },
  );

  app.get(
    '/moderation/refusals',
    {
      schema: {
        tags,
        summary: 'Whose texts were refused, and why: never the texts',
        querystring: exactly(ScopeQuery),
        response: answers(200, listOf(RefusalShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, limit = 50, cursor } = request.query;
      const scope = await access.require(caller, roomId);
      const before = cursor === undefined ? undefined : readCursor(cursor, ['number'])[0];
      return toPage(await refusals.list(scope, before, limit), limit, refusals.cursorOf);
    },
  );
};

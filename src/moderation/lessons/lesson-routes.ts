/** What the engine has learned from whom, and how that is taken back. The weights are the deployment's: for its staff alone. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { invalid } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import { readCursor, toPage, writeCursor } from '../../http/input/cursors.ts';
import { answers, Cursor, exactly, Limit, listOf, Nullable, PublicUser, Time, Uuid } from '../../http/input/schemas.ts';
import { readTime } from '../../http/input/times.ts';
import { requireDeployment } from '../../permissions.ts';
import type { LessonService } from './lesson-service.ts';

const tags = ['moderation'];
const LessonId = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const ModeratorId = Type.String({
  minLength: 1,
  maxLength: 128,
  pattern: '^[^\\u0000-\\u001f\\u007f\\ud800-\\udfff]*$',
  description: 'A moderator’s user id, or what a caller of the processing service named',
});
const LessonShape = Type.Object({
  id: LessonId,
  label: Type.Union([Type.Literal('spam'), Type.Literal('ham'), Type.Literal('offensive'), Type.Literal('clean')]),
  moderatorId: Type.String(),
  moderator: Nullable(PublicUser),
  roomId: Nullable(Uuid),
  messageId: Nullable(Uuid),
  createdAt: Time,
});

export const lessonRoutes: FastifyPluginAsyncTypebox<{
  lessons: LessonService;
  authenticator: Authenticator;
}> = async (app, { lessons, authenticator }) => {
  async function requireStaff(request: Parameters<Authenticator['fromRequest']>[0]) {
    const caller = await authenticator.fromRequest(request);
    requireDeployment(caller, 'moderate');
    return caller;
  }

  app.get(
    '/moderation/lessons',
    {
      schema: {
        tags,
        summary: 'What decisions have taught the engine and is in force, newest first; never the texts',
        querystring: exactly({
          moderatorId: Type.Optional(ModeratorId),
          limit: Type.Optional(Limit),
          cursor: Type.Optional(Cursor),
        }),
        response: answers(200, listOf(LessonShape)),
      },
    },
    async (request) => {
      await requireStaff(request);
      const { moderatorId, limit = 50, cursor } = request.query;
      const before = cursor === undefined ? undefined : readCursor(cursor, ['number'])[0];
      return toPage(await lessons.list(moderatorId, before, limit), limit, ({ id }) => writeCursor([id]));
    },
  );

  app.delete(
    '/moderation/lessons',
    {
      schema: {
        tags,
        summary: 'Take back what a moderator has taught, or everybody since a time; engines learn anew without it',
        querystring: exactly({ moderatorId: Type.Optional(ModeratorId), since: Type.Optional(Time) }),
        response: answers(200, Type.Object({ takenBack: Type.Integer() })),
      },
    },
    async (request) => {
      const caller = await requireStaff(request);
      const { moderatorId, since } = request.query;
      if (moderatorId === undefined && since === undefined)
        throw invalid('/querystring', 'name a moderatorId, a time since which, or both');
      const from = since === undefined ? undefined : readTime(since, '/since').toISOString();
      return { takenBack: await lessons.takeBack(caller, { moderatorId, since: from }) };
    },
  );

  app.delete(
    '/moderation/lessons/:id',
    {
      schema: {
        tags,
        summary: 'Take one lesson back',
        params: exactly({ id: LessonId }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await lessons.takeBackOne(await requireStaff(request), request.params.id);
      return reply.code(204).send(null);
    },
  );
};

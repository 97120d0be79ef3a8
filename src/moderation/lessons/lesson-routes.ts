/** Lessons over REST: what the engine learned from decisions, and how to revoke it. The weights belong to the deployment, so only staff see them. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { invalid } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import { readCursor, toPage, writeCursor } from '../../http/input/cursors.ts';
import {
  answers,
  Cursor,
  exactly,
  Limit,
  listOf,
  Nullable,
  named,
  PublicUser,
  Time,
  Uuid,
} from '../../http/input/schemas.ts';
import { readTime } from '../../http/input/times.ts';
import { requireDeployment } from '../../permissions.ts';
import type { LessonService } from './lesson-service.ts';

const tags = ['moderation'];
const LessonId = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const ModeratorId = Type.String({
  minLength: 1,
  maxLength: 128,
  pattern: '^[^\\u0000-\\u001f\\u007f\\ud800-\\udfff]*$',
  description: 'The user id of a moderator, or the name that a caller of the processing service gave',
});
const LessonShape = named(
  'Lesson',
  Type.Object({
    id: LessonId,
    label: Type.Union([Type.Literal('spam'), Type.Literal('ham'), Type.Literal('offensive'), Type.Literal('clean')]),
    moderatorId: Type.String(),
    moderator: Nullable(PublicUser),
    roomId: Nullable(Uuid),
    messageId: Nullable(Uuid),
    createdAt: Time,
  }),
);

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
        operationId: 'listLessons',
        summary: 'List what the engine has learned from decisions',
        description: 'Newest first: the label and the moderator, never the text. Revoked lessons are left out.',
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
        operationId: 'revokeLessons',
        summary: 'Revoke lessons of a moderator, or all lessons since a time',
        description:
          'The engines are retrained without them. With both parameters, the lessons of this moderator since that time.',
        querystring: exactly({ moderatorId: Type.Optional(ModeratorId), since: Type.Optional(Time) }),
        response: answers(200, Type.Object({ takenBack: Type.Integer() })),
      },
    },
    async (request) => {
      const caller = await requireStaff(request);
      const { moderatorId, since } = request.query;
      if (moderatorId === undefined && since === undefined)
        throw invalid('/querystring', 'moderatorId, since, or both are required');
      const from = since === undefined ? undefined : readTime(since, '/since').toISOString();
      return { takenBack: await lessons.revoke(caller, { moderatorId, since: from }) };
    },
  );

  app.delete(
    '/moderation/lessons/:id',
    {
      schema: {
        tags,
        operationId: 'revokeLesson',
        summary: 'Revoke a lesson',
        description: 'The engine forgets it on all instances.',
        params: exactly({ id: LessonId }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await lessons.revokeOne(await requireStaff(request), request.params.id);
      return reply.code(204).send(null);
    },
  );
};

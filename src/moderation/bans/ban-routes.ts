/** Bans over REST. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { invalid } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import { toPage } from '../../http/input/cursors.ts';
import { readLine } from '../../http/input/line-text.ts';
import { answers, exactly, listOf, Nullable, Uuid } from '../../http/input/schemas.ts';
import { readPlace, ScopeQuery } from '../scope/list-place.ts';
import { BanSeconds, BanShape } from './ban-schemas.ts';
import type { BanService } from './ban-service.ts';

const tags = ['moderation'];
const UserParams = exactly({ userId: Uuid });
/** Code points of a reason. */
const reasonMax = 1000;

export const banRoutes: FastifyPluginAsyncTypebox<{ bans: BanService; authenticator: Authenticator }> = async (
  app,
  { bans, authenticator },
) => {
  app.get(
    '/moderation/bans',
    {
      schema: {
        tags,
        operationId: 'listBans',
        summary: 'List the bans of a room, or of the deployment',
        description: 'Without `roomId`, the bans of the deployment; only for staff.',
        querystring: exactly(ScopeQuery),
        response: answers(200, listOf(BanShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, limit = 50, cursor } = request.query;
      return toPage(await bans.list(caller, roomId, readPlace(cursor), limit), limit, bans.cursorOf);
    },
  );

  app.put(
    '/moderation/bans/:userId',
    {
      schema: {
        tags,
        operationId: 'banUser',
        summary: 'Ban a user from a room, or from the deployment',
        description:
          'Without `roomId`, the user is banned from the deployment and all their sessions end; only for staff. A ban without `seconds` lasts until it is lifted.',
        params: UserParams,
        body: Type.Optional(
          Nullable(
            exactly({
              roomId: Type.Optional(Uuid),
              seconds: Type.Optional(BanSeconds),
              reason: Type.Optional(Type.String({ maxLength: 10_000 })),
            }),
          ),
        ),
        response: answers(200, BanShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, seconds, reason } = request.body ?? {};
      return bans.ban(caller, {
        userId: request.params.userId,
        roomId,
        seconds,
        reason: readLine(reason, '/reason', { max: reasonMax, tooLong: 'too_large' }),
      });
    },
  );

  app.delete(
    '/moderation/bans/:userId',
    {
      schema: {
        tags,
        operationId: 'liftBan',
        summary: 'Lift a ban',
        description: 'Give `roomId` in the query or in the body; without it, the ban from the deployment is lifted.',
        params: UserParams,
        querystring: exactly({ roomId: Type.Optional(Uuid) }),
        body: Type.Optional(Nullable(exactly({ roomId: Type.Optional(Uuid) }))),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      const [query, body] = [request.query.roomId, request.body?.roomId];
      if (query !== undefined && body !== undefined && query !== body)
        throw invalid('/roomId', 'differs between the query and the body');
      await bans.lift(caller, request.params.userId, query ?? body);
      return reply.code(204).send(null);
    },
  );
};

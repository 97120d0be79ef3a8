/** How the staff opens a private room. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly, Time, Uuid } from '../../http/input/schemas.ts';
import type { AccessService } from './staff-access-service.ts';

const AccessShape = Type.Object({ id: Uuid, roomId: Uuid, reason: Type.String(), createdAt: Time, expiresAt: Time });

export const accessRoutes: FastifyPluginAsyncTypebox<{
  access: AccessService;
  authenticator: Authenticator;
}> = async (app, { access, authenticator }) => {
  app.post(
    '/moderation/access',
    {
      schema: {
        tags: ['moderation'],
        summary: 'Read a private room without being a member, for the staff: on record, and told to its owners',
        body: exactly({
          roomId: Uuid,
          reason: Type.String({ minLength: 1, maxLength: 10_000, description: 'The owners see it' }),
          seconds: Type.Integer({ minimum: 1, description: 'At most moderation.accessMax' }),
        }),
        response: answers(201, AccessShape),
      },
    },
    async (request, reply) =>
      reply.code(201).send(await access.open(await authenticator.fromRequest(request), request.body)),
  );
};

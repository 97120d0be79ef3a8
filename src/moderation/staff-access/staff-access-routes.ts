/** Staff access to private rooms over REST. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly, named, Time, Uuid } from '../../http/input/schemas.ts';
import type { StaffAccessService } from './staff-access-service.ts';

const AccessShape = named(
  'StaffAccess',
  Type.Object({ id: Uuid, roomId: Uuid, reason: Type.String(), createdAt: Time, expiresAt: Time }),
);

export const accessRoutes: FastifyPluginAsyncTypebox<{
  access: StaffAccessService;
  authenticator: Authenticator;
}> = async (app, { access, authenticator }) => {
  app.post(
    '/moderation/access',
    {
      schema: {
        tags: ['moderation'],
        operationId: 'openRoomAsStaff',
        summary: 'Open a private room to read it without being a member',
        description: 'Only for staff. The access is recorded in the audit log and announced to the owners of the room.',
        body: exactly({
          roomId: Uuid,
          reason: Type.String({ minLength: 1, maxLength: 10_000, description: 'Shown to the owners' }),
          seconds: Type.Integer({
            minimum: 1,
            description: 'How long the room stays open to the caller; at most the setting `moderation.accessMax`',
          }),
        }),
        response: answers(201, AccessShape),
      },
    },
    async (request, reply) =>
      reply.code(201).send(await access.open(await authenticator.fromRequest(request), request.body)),
  );
};

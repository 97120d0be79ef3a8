/** Invite links over REST. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import type { IdempotencyKeys } from '../../http/idempotency.ts';
import { readCursor, toPage, writeCursor } from '../../http/input/cursors.ts';
import {
  answers,
  Cursor,
  exactly,
  IdempotencyHeaders,
  Limit,
  listOf,
  Nullable,
  Time,
  Uuid,
} from '../../http/input/schemas.ts';
import { requireDeployment } from '../../permissions.ts';
import { RoomShape } from '../rooms/room-schemas.ts';
import type { InviteService } from './invite-service.ts';

const InviteShape = Type.Object({
  id: Uuid,
  code: Type.String({ description: 'A secret: whoever holds it may join' }),
  url: Type.String(),
  expiresAt: Time,
  maxUses: Nullable(Type.Integer()),
  uses: Type.Integer(),
});
const ListedInviteShape = Type.Object({ ...InviteShape.properties, createdBy: Uuid, createdAt: Time });
const TermsBody = exactly({
  expiresIn: Type.Optional(Type.Integer({ minimum: 1, maximum: 31_536_000, description: 'Seconds' })),
  maxUses: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Absent: without end' })),
});
const tags = ['rooms'];

export const inviteRoutes: FastifyPluginAsyncTypebox<{
  invites: InviteService;
  authenticator: Authenticator;
  idempotency: IdempotencyKeys;
}> = async (app, { invites, authenticator, idempotency }) => {
  app.post(
    '/rooms/:roomId/invites',
    {
      schema: {
        tags,
        summary: 'Make an invite link',
        params: exactly({ roomId: Uuid }),
        headers: IdempotencyHeaders,
        body: Type.Optional(Type.Union([TermsBody, Type.Null()])),
        response: answers(201, InviteShape),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      return idempotency.create(request, reply, caller.userId, async (id) => ({
        status: 201,
        body: await invites.create(caller, request.params.roomId, request.body ?? {}, id),
      }));
    },
  );

  app.get(
    '/rooms/:roomId/invites',
    {
      schema: {
        tags,
        summary: 'Invite links that have not ended: my own, and everybody’s for moderators and owners',
        params: exactly({ roomId: Uuid }),
        querystring: exactly({ limit: Type.Optional(Limit), cursor: Type.Optional(Cursor) }),
        response: answers(200, listOf(ListedInviteShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { limit = 50, cursor } = request.query;
      const before = cursor === undefined ? undefined : readCursor(cursor, ['uuid'])[0];
      const found = await invites.list(caller, request.params.roomId, before, limit + 1);
      return toPage(found, limit, ({ id }) => writeCursor([id]));
    },
  );

  app.delete(
    '/rooms/:roomId/invites/:inviteId',
    {
      schema: {
        tags,
        summary: 'Take an invite link back: my own, or any as a moderator',
        params: exactly({ roomId: Uuid, inviteId: Uuid }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      await invites.revoke(caller, request.params.roomId, request.params.inviteId);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/invites/:code/accept',
    {
      schema: {
        tags,
        summary: 'Join a room by an invite; a member stays one',
        params: exactly({ code: Type.String({ pattern: '^[A-Za-z0-9_-]{1,128}$' }) }),
        response: answers(200, RoomShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'chat');
      return invites.accept(caller, request.params.code);
    },
  );
};

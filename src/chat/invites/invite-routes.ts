/** Invite links over REST. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import type { IdempotencyKeys } from '../../http/idempotency.ts';
import { readIdCursor, toPage, writeCursor } from '../../http/input/cursors.ts';
import {
  answers,
  exactly,
  IdempotencyHeaders,
  listOf,
  Nullable,
  named,
  PageQuery,
  Time,
  Uuid,
} from '../../http/input/schemas.ts';
import { requireDeployment } from '../../permissions.ts';
import { RoomParams, RoomShape } from '../rooms/room-schemas.ts';
import type { InviteService } from './invite-service.ts';

const InviteShape = named(
  'Invite',
  Type.Object({
    id: Uuid,
    code: Type.String({ description: 'A secret: anybody who holds it may join the room' }),
    url: Type.String(),
    expiresAt: Time,
    maxUses: Nullable(Type.Integer()),
    uses: Type.Integer(),
  }),
);
const ListedInviteShape = named(
  'ListedInvite',
  Type.Object({ ...InviteShape.properties, createdBy: Uuid, createdAt: Time }),
);
const TermsBody = exactly({
  expiresIn: Type.Optional(Type.Integer({ minimum: 1, maximum: 31_536_000, description: 'Seconds from now' })),
  maxUses: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Absent: no limit' })),
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
        operationId: 'createInvite',
        summary: 'Create an invite link',
        description: 'Everybody with the link can join until it expires or has been used up.',
        params: RoomParams,
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
        operationId: 'listInvites',
        summary: 'List the invite links of a room that have not expired',
        description: 'Moderators and owners see all of them, members see their own.',
        params: RoomParams,
        querystring: PageQuery,
        response: answers(200, listOf(ListedInviteShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { limit = 50, cursor } = request.query;
      const found = await invites.list(caller, request.params.roomId, readIdCursor(cursor), limit + 1);
      return toPage(found, limit, ({ id }) => writeCursor([id]));
    },
  );

  app.delete(
    '/rooms/:roomId/invites/:inviteId',
    {
      schema: {
        tags,
        operationId: 'revokeInvite',
        summary: 'Revoke an invite link',
        description: 'Moderators and owners revoke any, members their own.',
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
        operationId: 'acceptInvite',
        summary: 'Join a room by an invite link',
        description: 'A member stays a member and does not use up the link.',
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

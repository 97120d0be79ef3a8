/** Memberships over REST. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { invalid } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import { readIdCursor, toPage, writeCursor } from '../../http/input/cursors.ts';
import { answers, exactly, listOf, PageQuery, Uuid } from '../../http/input/schemas.ts';
import { MemberRoleShape } from '../state/event-schemas.ts';
import type { Actor } from '../state/room-state.ts';
import { MemberParams, MemberShape } from './member-schemas.ts';
import type { MemberService } from './member-service.ts';

interface Options {
  readonly members: MemberService;
  readonly authenticator: Authenticator;
}

const tags = ['rooms'];
const config = { scope: 'members:write' } as const;
/** A year. */
const muteSecondsMax = 31_536_000;

export const memberRoutes: FastifyPluginAsyncTypebox<Options> = async (app, options) => {
  await app.register(membershipRoutes, options);
  await app.register(muteRoutes, options);
};

/** The user that a path names; `me` is the caller. */
function targetOf(caller: Actor, userId: string): string {
  if (userId !== 'me') return userId;
  if (caller.role === 'server') throw invalid('/userId', 'an API key has no user of its own: give a user id');
  return caller.userId;
}

const membershipRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { members, authenticator }) => {
  app.get(
    '/rooms/:roomId/members',
    {
      config: { scope: 'rooms:read' },
      schema: {
        tags,
        operationId: 'listMembers',
        summary: 'List the members of a room, or complete a name',
        description:
          'With `query`: members whose username, or a word of whose display name, begins so, without regard to case and accents. Those who wrote last come first. There is one page of them.',
        params: exactly({ roomId: Uuid }),
        querystring: exactly({
          ...PageQuery.properties,
          query: Type.Optional(Type.String({ maxLength: 64 })),
        }),
        response: answers(200, listOf(MemberShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { limit = 50, cursor, query } = request.query;
      if (query !== undefined) {
        if (cursor !== undefined) throw invalid('/cursor', 'not together with query');
        if (!query.isWellFormed() || query.includes('\0')) throw invalid('/query', 'not a text');
        return { items: await members.complete(caller, request.params.roomId, query.trim(), limit), nextCursor: null };
      }
      const found = await members.list(caller, request.params.roomId, readIdCursor(cursor), limit + 1);
      return toPage(found, limit, (member) => writeCursor([member.user.id]));
    },
  );

  app.put(
    '/rooms/:roomId/members/:userId',
    {
      config,
      schema: {
        tags,
        operationId: 'putMember',
        summary: 'Join a room, or add a member',
        description: '`me` joins a public room. Adding others needs the right to add members.',
        params: MemberParams,
        body: Type.Optional(Type.Union([exactly({ role: Type.Optional(MemberRoleShape) }), Type.Null()])),
        response: answers(200, MemberShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, userId } = request.params;
      return members.put(caller, roomId, targetOf(caller, userId), request.body?.role);
    },
  );

  app.patch(
    '/rooms/:roomId/members/:userId',
    {
      config,
      schema: {
        tags,
        operationId: 'changeMemberRole',
        summary: 'Change the role of a member',
        description: 'Owners may change everybody’s role. A room always has an owner.',
        params: MemberParams,
        body: exactly({ role: MemberRoleShape }),
        response: answers(200, MemberShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, userId } = request.params;
      return members.changeRole(caller, roomId, targetOf(caller, userId), request.body.role);
    },
  );

  app.delete(
    '/rooms/:roomId/members/:userId',
    {
      config,
      schema: {
        tags,
        operationId: 'removeMember',
        summary: 'Leave a room, or remove a member',
        description: '`me` leaves. When the last owner leaves, the longest-standing moderator or member becomes owner.',
        params: MemberParams,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, userId } = request.params;
      await members.remove(caller, roomId, targetOf(caller, userId));
      return reply.code(204).send(null);
    },
  );
};

const muteRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { members, authenticator }) => {
  app.put(
    '/rooms/:roomId/members/:userId/mute',
    {
      config,
      schema: {
        tags,
        operationId: 'muteMember',
        summary: 'Mute a member for some seconds',
        description: 'The member reads on and cannot write.',
        params: MemberParams,
        body: exactly({ seconds: Type.Integer({ minimum: 1, maximum: muteSecondsMax }) }),
        response: answers(200, MemberShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, userId } = request.params;
      return members.mute(caller, roomId, targetOf(caller, userId), request.body.seconds);
    },
  );

  app.delete(
    '/rooms/:roomId/members/:userId/mute',
    {
      config,
      schema: {
        tags,
        operationId: 'unmuteMember',
        summary: 'Unmute a member',
        description: 'The member can write again at once.',
        params: MemberParams,
        response: answers(200, MemberShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, userId } = request.params;
      return members.mute(caller, roomId, targetOf(caller, userId), 0);
    },
  );
};

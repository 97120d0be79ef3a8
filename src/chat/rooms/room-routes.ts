/** Rooms and memberships over REST. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { type InputPath, invalid } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import type { IdempotencyKeys } from '../../http/idempotency.ts';
import { readCursor, toPage, writeCursor } from '../../http/input/cursors.ts';
import { requireLine } from '../../http/input/line-text.ts';
import {
  answers,
  Cursor,
  exactly,
  IdempotencyHeaders,
  Limit,
  listOf,
  Nullable,
  PublicUser,
  Seq,
  Time,
  Uuid,
} from '../../http/input/schemas.ts';
import { requireDeployment } from '../../permissions.ts';
import { type Message, MessageShape } from '../state/message-shape.ts';
import type { Actor } from '../state/room-state.ts';
import { RoomShape } from './room-schemas.ts';
import type { RoomService } from './room-service.ts';

const Role = Type.Union([Type.Literal('owner'), Type.Literal('moderator'), Type.Literal('member')]);
const OwnRoomShape = Type.Object({
  ...RoomShape.properties,
  role: Type.Optional(Role),
  unread: Type.Optional(Type.Integer()),
  mentions: Type.Optional(Type.Integer()),
  lastReadSeq: Type.Optional(Seq),
  lastMessage: Type.Optional(Nullable(MessageShape)),
});
const MemberShape = Type.Object({ user: PublicUser, role: Role, joinedAt: Time, mutedUntil: Nullable(Time) });

const RoomParams = exactly({ roomId: Uuid });
const MemberParams = exactly({ roomId: Uuid, userId: Type.Union([Uuid, Type.Literal('me')]) });
const roomFields = {
  name: Type.String({ minLength: 1, maxLength: 1000 }),
  topic: Type.String({ maxLength: 10_000 }),
  visibility: Type.Union([Type.Literal('public'), Type.Literal('private')]),
  history: Type.Union([Type.Literal('all'), Type.Literal('joined')]),
  slowModeSeconds: Type.Integer({ minimum: 0, maximum: 86_400 }),
};
const NewRoomBody = exactly({
  name: roomFields.name,
  visibility: roomFields.visibility,
  topic: Type.Optional(roomFields.topic),
  history: Type.Optional(roomFields.history),
  slowModeSeconds: Type.Optional(roomFields.slowModeSeconds),
  memberIds: Type.Optional(Type.Array(Uuid, { maxItems: 1000 })),
  ownerId: Type.Optional(Type.String({ ...Uuid, description: 'With an API key: whose room it is' })),
});
const RoomChangesBody = Type.Partial(exactly(roomFields), { additionalProperties: false, minProperties: 1 });

interface Options {
  rooms: RoomService;
  /** The messages at these seqs, in any order; absent ones are left out. */
  findMessages: (places: readonly { roomId: string; seq: number }[]) => Promise<Message[]>;
  authenticator: Authenticator;
  idempotency: IdempotencyKeys;
  limits: { readonly nameMax: number; readonly topicMax: number };
}

const tags = ['rooms'];

export const roomRoutes: FastifyPluginAsyncTypebox<Options> = async (
  app,
  { rooms, findMessages, authenticator, idempotency, limits },
) => {
  /** A topic may be empty, a name may not. */
  function cleanTexts<Fields extends { name?: string; topic?: string }>(fields: Fields): Fields {
    const clean = { ...fields };
    const line = (text: string, path: InputPath, max: number) => requireLine(text, path, { max, tooLong: 'too_large' });
    if (fields.name !== undefined) clean.name = line(fields.name, '/name', limits.nameMax);
    if (fields.topic) clean.topic = line(fields.topic, '/topic', limits.topicMax);
    return clean;
  }

  app.post(
    '/rooms',
    {
      config: { scope: 'rooms:write' },
      schema: {
        tags,
        summary: 'Create a room',
        headers: IdempotencyHeaders,
        body: NewRoomBody,
        response: answers(201, RoomShape),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'create_room');
      return idempotency.create(request, reply, caller.userId, async (id) => ({
        status: 201,
        body: await rooms.create(caller, cleanTexts(request.body), id),
      }));
    },
  );

  app.post(
    '/dms',
    {
      schema: {
        tags,
        summary: 'The direct-message room of exactly these people and the caller',
        body: exactly({ userIds: Type.Array(Uuid, { minItems: 1, maxItems: 100 }) }),
        response: { ...answers(200, RoomShape), 201: RoomShape },
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'start_direct_message');
      const { room, created } = await rooms.directMessage(caller, request.body.userIds);
      return reply.code(created ? 201 : 200).send(room);
    },
  );

  const ListQuery = exactly({
    visibility: Type.Optional(Type.Literal('public')),
    query: Type.Optional(Type.String({ maxLength: 200 })),
    limit: Type.Optional(Limit),
    cursor: Type.Optional(Cursor),
  });
  app.get(
    '/rooms',
    {
      schema: {
        tags,
        summary: 'My rooms, or public rooms',
        querystring: ListQuery,
        response: answers(200, listOf(OwnRoomShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { visibility, query = '', limit = 50, cursor } = request.query;
      if (visibility === 'public') return listPublic(caller, query, limit, cursor);
      if (query !== '') throw invalid('/query', 'only with visibility=public');
      return listMine(caller, limit, cursor);
    },
  );

  async function listPublic({ userId }: Actor, query: string, limit: number, cursor: string | undefined) {
    const from = cursor === undefined ? undefined : readCursor(cursor, ['string', 'uuid']);
    const after = from && { name: from[0], id: from[1] };
    const found = await rooms.listPublic(userId, requireQuery(query), after, limit + 1);
    return toPage(found, limit, (room) => writeCursor([room.name, room.id]));
  }

  function requireQuery(query: string): string {
    if (!query.isWellFormed() || query.includes('\0')) throw invalid('/query', 'not a text');
    return query;
  }

  /** Newest activity first; the cursor is the last room's place in that order. */
  async function listMine(caller: Actor, limit: number, cursor: string | undefined) {
    const from = cursor === undefined ? undefined : readCursor(cursor, ['number', 'uuid']);
    const found = await rooms.mine(caller.userId, from && { activeAtMs: from[0], id: from[1] }, limit + 1);
    const page = toPage(found, limit, (room) => writeCursor([room.activeAtMs, room.id]));
    const newest = await findMessages(
      page.items.flatMap(({ id, lastMessageSeq }) =>
        lastMessageSeq === null ? [] : [{ roomId: id, seq: lastMessageSeq }],
      ),
    );
    const byRoom = new Map(newest.map((message) => [message.roomId, message]));
    const items = await Promise.all(
      page.items.map(async ({ joinedSeq, activeAtMs: _active, others, lastMessageSeq: _last, ...room }) => {
        const last = byRoom.get(room.id);
        const visible = last && (room.history === 'all' || last.seq >= joinedSeq);
        return { ...room, name: await rooms.nameFor(room, others), lastMessage: visible ? last : null };
      }),
    );
    return { items, nextCursor: page.nextCursor };
  }

  app.get(
    '/rooms/:roomId',
    {
      config: { scope: 'rooms:read' },
      schema: { tags, summary: 'One room', params: RoomParams, response: answers(200, RoomShape) },
    },
    async (request) => rooms.get(await authenticator.fromRequest(request), request.params.roomId),
  );

  app.patch(
    '/rooms/:roomId',
    {
      config: { scope: 'rooms:write' },
      schema: {
        tags,
        summary: 'Change a room',
        params: RoomParams,
        body: RoomChangesBody,
        response: answers(200, RoomShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      return rooms.update(caller, request.params.roomId, cleanTexts(request.body));
    },
  );

  app.delete(
    '/rooms/:roomId',
    {
      config: { scope: 'rooms:write' },
      schema: { tags, summary: 'Delete a room', params: RoomParams, response: answers(204, Type.Null()) },
    },
    async (request, reply) => {
      await rooms.remove(await authenticator.fromRequest(request), request.params.roomId);
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/rooms/:roomId/members',
    {
      config: { scope: 'rooms:read' },
      schema: {
        tags,
        summary: 'Members',
        params: RoomParams,
        querystring: exactly({ limit: Type.Optional(Limit), cursor: Type.Optional(Cursor) }),
        response: answers(200, listOf(MemberShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { limit = 50, cursor } = request.query;
      const after = cursor === undefined ? undefined : readCursor(cursor, ['uuid'])[0];
      const found = await rooms.listMembers(caller, request.params.roomId, after, limit + 1);
      return toPage(found, limit, (member) => writeCursor([member.user.id]));
    },
  );

  function targetOf(caller: Actor, userId: string): string {
    if (userId !== 'me') return userId;
    if (caller.role === 'server') throw invalid('/userId', 'an API key is nobody: name a user');
    return caller.userId;
  }

  app.put(
    '/rooms/:roomId/members/:userId',
    {
      config: { scope: 'members:write' },
      schema: {
        tags,
        summary: 'Join, or add a member',
        params: MemberParams,
        body: Type.Optional(Type.Union([exactly({ role: Type.Optional(Role) }), Type.Null()])),
        response: answers(200, MemberShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, userId } = request.params;
      return rooms.putMember(caller, roomId, targetOf(caller, userId), request.body?.role);
    },
  );

  app.patch(
    '/rooms/:roomId/members/:userId',
    {
      config: { scope: 'members:write' },
      schema: {
        tags,
        summary: 'Change a role',
        params: MemberParams,
        body: exactly({ role: Role }),
        response: answers(200, MemberShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, userId } = request.params;
      return rooms.changeRole(caller, roomId, targetOf(caller, userId), request.body.role);
    },
  );

  app.delete(
    '/rooms/:roomId/members/:userId',
    {
      config: { scope: 'members:write' },
      schema: { tags, summary: 'Leave, or remove a member', params: MemberParams, response: answers(204, Type.Null()) },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      await rooms.removeMember(caller, request.params.roomId, targetOf(caller, request.params.userId));
      return reply.code(204).send(null);
    },
  );

  app.put(
    '/rooms/:roomId/members/:userId/mute',
    {
      config: { scope: 'members:write' },
      schema: {
        tags,
        summary: 'Mute a member for a while',
        params: MemberParams,
        body: exactly({ seconds: Type.Integer({ minimum: 1, maximum: 31_536_000 }) }),
        response: answers(200, MemberShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, userId } = request.params;
      return rooms.mute(caller, roomId, targetOf(caller, userId), request.body.seconds);
    },
  );

  app.delete(
    '/rooms/:roomId/members/:userId/mute',
    {
      config: { scope: 'members:write' },
      schema: { tags, summary: 'Unmute a member', params: MemberParams, response: answers(200, MemberShape) },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, userId } = request.params;
      return rooms.mute(caller, roomId, targetOf(caller, userId), 0);
    },
  );
};

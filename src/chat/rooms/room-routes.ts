/** Creates, shows, changes and deletes rooms over REST. Lists: room-list-routes.ts; members: membership/member-routes.ts. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import type { IdempotencyKeys } from '../../http/idempotency.ts';
import { requireLine } from '../../http/input/line-text.ts';
import { answers, exactly, IdempotencyHeaders, Uuid } from '../../http/input/schemas.ts';
import { requireDeployment } from '../../permissions.ts';
import type { RoomCreation } from './room-creation.ts';
import { NewRoomBody, RoomChangesBody, RoomParams, RoomShape } from './room-schemas.ts';
import type { RoomService } from './room-service.ts';

export interface RoomTextBounds {
  /** Code points. */
  readonly nameMax: number;
  readonly topicMax: number;
}

interface Options {
  readonly rooms: RoomService;
  readonly creation: RoomCreation;
  readonly authenticator: Authenticator;
  readonly idempotency: IdempotencyKeys;
  readonly limits: RoomTextBounds;
}

const tags = ['rooms'];

export const roomRoutes: FastifyPluginAsyncTypebox<Options> = async (app, options) => {
  await app.register(creationRoutes, options);
  await app.register(singleRoomRoutes, options);
};

/** Texts as they are judged and stored. A topic may be empty, a name may not. */
function cleanTexts<Fields extends { name?: string; topic?: string }>(
  fields: Fields,
  { nameMax, topicMax }: RoomTextBounds,
): Fields {
  const clean = { ...fields };
  if (fields.name !== undefined) clean.name = requireLine(fields.name, '/name', { max: nameMax, tooLong: 'too_large' });
  if (fields.topic) clean.topic = requireLine(fields.topic, '/topic', { max: topicMax, tooLong: 'too_large' });
  return clean;
}

const creationRoutes: FastifyPluginAsyncTypebox<Options> = async (
  app,
  { creation, authenticator, idempotency, limits },
) => {
  app.post(
    '/rooms',
    {
      config: { scope: 'rooms:write' },
      schema: {
        tags,
        operationId: 'createRoom',
        summary: 'Create a room',
        description: 'The caller becomes its owner. The same `Idempotency-Key` again answers with the same room.',
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
        body: await creation.create(caller, cleanTexts(request.body, limits), id),
      }));
    },
  );

  app.post(
    '/dms',
    {
      schema: {
        tags,
        operationId: 'openDirectMessage',
        summary: 'Open the direct message with these users',
        description:
          'There is one direct message for each set of members. 201 when it was created, 200 when it existed.',
        body: exactly({ userIds: Type.Array(Uuid, { minItems: 1, maxItems: 100 }) }),
        response: { ...answers(200, RoomShape), 201: RoomShape },
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'start_direct_message');
      const { room, created } = await creation.directMessage(caller, request.body.userIds);
      return reply.code(created ? 201 : 200).send(room);
    },
  );
};

const singleRoomRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { rooms, authenticator, limits }) => {
  app.get(
    '/rooms/:roomId',
    {
      config: { scope: 'rooms:read' },
      schema: {
        tags,
        operationId: 'getRoom',
        summary: 'Get a room',
        description: 'Members see private rooms; everybody sees public ones.',
        params: RoomParams,
        response: answers(200, RoomShape),
      },
    },
    async (request) => rooms.get(await authenticator.fromRequest(request), request.params.roomId),
  );

  app.patch(
    '/rooms/:roomId',
    {
      config: { scope: 'rooms:write' },
      schema: {
        tags,
        operationId: 'updateRoom',
        summary: 'Change the settings of a room',
        description: 'For moderators of the room. Every member gets `room.updated`.',
        params: RoomParams,
        body: RoomChangesBody,
        response: answers(200, RoomShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      return rooms.update(caller, request.params.roomId, cleanTexts(request.body, limits));
    },
  );

  app.delete(
    '/rooms/:roomId',
    {
      config: { scope: 'rooms:write' },
      schema: {
        tags,
        operationId: 'deleteRoom',
        summary: 'Delete a room',
        description: 'For owners. The room is gone for everybody at once.',
        params: RoomParams,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await rooms.remove(await authenticator.fromRequest(request), request.params.roomId);
      return reply.code(204).send(null);
    },
  );
};

/** A member's notification settings of one room, over REST. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly, Nullable, named, Time, Uuid } from '../../http/input/schemas.ts';
import type { RoomNotificationService } from './room-notification-service.ts';

const tags = ['notifications'];
const Level = Type.Union([Type.Literal('all'), Type.Literal('mentions'), Type.Literal('none')]);
const RoomNotificationsShape = named('RoomNotifications', Type.Object({ level: Level, mutedUntil: Nullable(Time) }));

export interface RoomNotificationRouteOptions {
  readonly roomNotifications: RoomNotificationService;
  readonly authenticator: Authenticator;
}

export const roomNotificationRoutes: FastifyPluginAsyncTypebox<RoomNotificationRouteOptions> = async (
  app,
  { roomNotifications, authenticator },
) => {
  const params = exactly({ roomId: Uuid });

  app.get(
    '/rooms/:roomId/notifications',
    {
      schema: {
        tags,
        operationId: 'getRoomNotifications',
        summary: 'Get my notification settings of a room',
        description: 'What the caller is told of in this room.',
        params,
        response: answers(200, RoomNotificationsShape),
      },
    },
    async (request) => roomNotifications.get(await authenticator.fromRequest(request), request.params.roomId),
  );

  app.put(
    '/rooms/:roomId/notifications',
    {
      schema: {
        tags,
        operationId: 'replaceRoomNotifications',
        summary: 'Replace my notification settings of a room',
        description:
          '`mentions` tells of mentions alone, `none` of nothing. `mutedUntil` silences the room until then.',
        params,
        body: exactly({ level: Level, mutedUntil: Type.Optional(Nullable(Time)) }),
        response: answers(200, RoomNotificationsShape),
      },
    },
    async (request) => {
      const { level, mutedUntil = null } = request.body;
      return roomNotifications.put(await authenticator.fromRequest(request), request.params.roomId, {
        level,
        mutedUntil,
      });
    },
  );
};

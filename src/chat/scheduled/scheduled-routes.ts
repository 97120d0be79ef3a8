/** Scheduled messages over REST. The author's connections get `scheduled.updated` and `scheduled.removed` frames. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly, listOf, Uuid } from '../../http/input/schemas.ts';
import { requireDeployment } from '../../permissions.ts';
import {
  ScheduleBody,
  ScheduleChangeBody,
  ScheduledShape,
  ScheduledStateShape,
  toScheduledShape,
} from './scheduled-schemas.ts';
import type { ScheduledService } from './scheduled-service.ts';

interface Options {
  scheduled: ScheduledService;
  authenticator: Authenticator;
}

type App = Parameters<FastifyPluginAsyncTypebox<Options>>[0];

const tags = ['scheduled messages'];
const IdParams = exactly({ id: Uuid });

export const scheduledRoutes: FastifyPluginAsyncTypebox<Options> = async (app, options) => {
  addScheduleRoute(app, options);
  addOwnRoutes(app, options);
};

function addScheduleRoute(app: App, { scheduled, authenticator }: Options): void {
  app.post(
    '/rooms/:roomId/scheduled',
    {
      schema: {
        tags,
        summary: 'Schedule a message',
        description:
          'The message is authorised and judged when it is sent, once, at `sendAt` or soon after. If it is refused then, its state is `refused` and my connections get a `notice`. 200 repeats the first answer if the clientId was used before.',
        operationId: 'scheduleMessage',
        params: exactly({ roomId: Uuid }),
        body: ScheduleBody,
        response: { ...answers(201, ScheduledShape), 200: ScheduledShape },
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      const { clientId, sendAt, ...draft } = request.body;
      const created = await scheduled.create(caller, { roomId: request.params.roomId, clientId }, draft, sendAt);
      return reply.code(created.duplicate ? 200 : 201).send(toScheduledShape(created.scheduled));
    },
  );
}

function addOwnRoutes(app: App, { scheduled, authenticator }: Options): void {
  app.get(
    '/scheduled',
    {
      schema: {
        tags,
        summary: 'List my scheduled messages',
        description:
          'In the order of `sendAt`; without `state`, all that are not sent. `scheduled.perUser` bounds the list, so it has one page.',
        operationId: 'listScheduledMessages',
        querystring: exactly({ state: Type.Optional(ScheduledStateShape) }),
        response: answers(200, listOf(ScheduledShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'keep_account');
      const items = (await scheduled.list(caller, request.query.state)).map(toScheduledShape);
      return { items, nextCursor: null };
    },
  );

  app.patch(
    '/scheduled/:id',
    {
      schema: {
        tags,
        summary: 'Change a scheduled message',
        description: 'A message that was refused waits again; it needs a new `sendAt`. 409 once it is being sent.',
        operationId: 'changeScheduledMessage',
        params: IdParams,
        body: ScheduleChangeBody,
        response: answers(200, ScheduledShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'keep_account');
      return toScheduledShape(await scheduled.change(caller, request.params.id, request.body));
    },
  );

  app.delete(
    '/scheduled/:id',
    {
      schema: {
        tags,
        summary: 'Cancel a scheduled message',
        description: 'Or take one that was sent or refused off the list. 409 while it is being sent.',
        operationId: 'cancelScheduledMessage',
        params: IdParams,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'keep_account');
      await scheduled.remove(caller, request.params.id);
      return reply.code(204).send(null);
    },
  );
}

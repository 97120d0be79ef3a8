/** The room log over REST: the same events that a resume reads. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly, Limit, named, Seq, Time, Uuid } from '../../http/input/schemas.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import { shownJson } from '../../realtime/feed/hidden-events.ts';
import { MessageSeq } from '../state/event-schemas.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import type { LogReader } from './log-reader.ts';

const EventShape = named(
  'Event',
  Type.Object({ type: Type.String(), roomId: Uuid, seq: Seq, at: Time, messageSeq: MessageSeq, data: Type.Unknown() }),
);

export const eventRoutes: FastifyPluginAsyncTypebox<{
  /** For a reader of the room. @throws Failure `not_found`, `banned` */
  followToRead: (actor: Actor, roomId: string) => Promise<Feed<RoomState>>;
  reader: LogReader;
  authenticator: Authenticator;
}> = async (app, { followToRead, reader, authenticator }) => {
  app.get(
    '/rooms/:roomId/events',
    {
      config: { scope: 'messages:read' },
      schema: {
        tags: ['rooms'],
        operationId: 'listEvents',
        summary: 'List durable events of a room after a seq, in order',
        description: 'The same events, in the same order, that a resume of the socket sends.',
        params: exactly({ roomId: Uuid }),
        querystring: exactly({ after: Type.Optional(Seq), limit: Type.Optional(Limit) }),
        response: answers(200, Type.Object({ events: Type.Array(EventShape), hasMore: Type.Boolean() })),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      const { after = 0, limit = 50 } = request.query;
      const feed = await followToRead(caller, request.params.roomId);
      const first = feed.state.firstReadable(caller);
      const from = Math.max(after, first - 1);
      // The right to read was checked up to here. An event that is appended while this is read may follow a removal.
      const head = feed.position;
      const events = (await reader.read(feed.roomId, from, limit + 1)).filter(({ seq }) => seq <= head);
      // Every event is JSON already, so the page is concatenated instead of parsed and written again.
      const body = `{"events":[${events
        .slice(0, limit)
        .map((event) => shownJson(event.json, first))
        .join(',')}],"hasMore":${events.length > limit}}`;
      return reply.type('application/json; charset=utf-8').send(body as never);
    },
  );
};

/** Threads over REST. Messages of a thread are sent and read like all messages: messages/message-routes.ts. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { readCursor, toPage, writeCursor } from '../../http/input/cursors.ts';
import { answers, Cursor, exactly, Limit, listOf, named, Seq, Uuid } from '../../http/input/schemas.ts';
import { MessageParams } from '../messages/message-schemas.ts';
import { MessageShape } from '../state/message-shape.ts';
import type { ListedThread, ThreadService } from './thread-service.ts';

const ThreadStateFields = {
  threadId: Type.String({ ...Uuid, description: 'The message that starts the thread' }),
  following: Type.Boolean(),
  lastReadSeq: Seq,
  unread: Type.Integer({ description: 'Messages of others after `lastReadSeq`, counted up to `room.unreadMax`' }),
  mentions: Type.Integer({ description: 'Those of them that mention the caller' }),
};

const ThreadStateShape = named(
  'ThreadState',
  Type.Object(ThreadStateFields, { description: 'What a thread is to the caller' }),
);

const ListedThreadShape = named(
  'FollowedThread',
  Type.Object({
    ...ThreadStateFields,
    roomId: Uuid,
    room: Type.Object({
      id: Uuid,
      kind: Type.Union([Type.Literal('room'), Type.Literal('dm')]),
      name: Type.String({ description: 'Of a direct message: the names of the others' }),
    }),
    message: MessageShape,
    lastSeq: Type.Integer({ description: 'Of the newest message of the thread' }),
  }),
);

const ListQuery = exactly({
  unread: Type.Optional(Type.Boolean({ description: 'Only threads with something unread' })),
  limit: Type.Optional(Limit),
  cursor: Type.Optional(Cursor),
});

interface Options {
  readonly threads: ThreadService;
  readonly authenticator: Authenticator;
}

type App = Parameters<FastifyPluginAsyncTypebox<Options>>[0];

const tags = ['threads'];

export const threadRoutes: FastifyPluginAsyncTypebox<Options> = async (app, options) => {
  addListRoute(app, options);
  addStateRoutes(app, options);
  addFollowRoutes(app, options);
};

function addListRoute(app: App, { threads, authenticator }: Options): void {
  app.get(
    '/threads',
    {
      schema: {
        tags,
        operationId: 'listThreads',
        summary: 'List the threads that I follow, newest activity first',
        description:
          'In rooms that the caller is a member of. A thread with a new message moves to the front, so an open list is kept up to date by events rather than by its cursor.',
        querystring: ListQuery,
        response: answers(200, listOf(ListedThreadShape)),
      },
    },
    async (request) => {
      const { userId } = await authenticator.fromRequest(request);
      const { unread = false, limit = 50, cursor } = request.query;
      const from = cursor === undefined ? undefined : readCursor(cursor, ['number', 'uuid']);
      const after = from && { activeAtMs: from[0], threadId: from[1] };
      const found = await threads.list(userId, { unreadOnly: unread, after, limit: limit + 1 });
      const { items, nextCursor } = toPage(found, limit, (thread) => writeCursor([thread.activeAtMs, thread.threadId]));
      return { items: items.map(toAnswer), nextCursor };
    },
  );
}

function toAnswer({ activeAtMs: _active, ...thread }: ListedThread) {
  return thread;
}

function addStateRoutes(app: App, { threads, authenticator }: Options): void {
  app.get(
    '/rooms/:roomId/messages/:messageId/thread',
    {
      schema: {
        tags,
        operationId: 'getThread',
        summary: 'Get whether I follow a thread, and what is unread in it',
        description: '`messageId` is any message of the thread, or the one that starts it.',
        params: MessageParams,
        response: answers(200, ThreadStateShape),
      },
    },
    async (request) => threads.find(await authenticator.fromRequest(request), request.params),
  );

  app.put(
    '/rooms/:roomId/messages/:messageId/thread/read',
    {
      schema: {
        tags,
        operationId: 'markThreadRead',
        summary: 'Mark a thread as read up to a seq',
        description:
          'The marker moves forward only. The other devices of the caller get `thread.updated`. Reading does not follow the thread.',
        params: MessageParams,
        body: exactly({ seq: Seq }),
        response: answers(200, ThreadStateShape),
      },
    },
    async (request) => threads.markRead(await authenticator.fromRequest(request), request.params, request.body.seq),
  );
}

function addFollowRoutes(app: App, { threads, authenticator }: Options): void {
  for (const method of ['PUT', 'DELETE'] as const) {
    const following = method === 'PUT';
    app.route({
      method,
      url: '/rooms/:roomId/messages/:messageId/thread/follow',
      schema: {
        tags,
        operationId: following ? 'followThread' : 'unfollowThread',
        summary: following ? 'Follow a thread' : 'Stop following a thread',
        description: following
          ? 'Also before its first reply. Messages that are there already are not unread.'
          : 'Until the caller writes in the thread, is mentioned there, or follows it again.',
        params: MessageParams,
        response: answers(200, ThreadStateShape),
      },
      handler: async (request) =>
        threads.setFollowing(await authenticator.fromRequest(request), request.params, following),
    });
  }
}

/** Messages over REST: the same way through the system as over WebSocket. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { invalid } from '../../errors.ts';
import { type Authenticator, isCallerThere } from '../../http/caller/caller.ts';
import { readCursor, toPage, writeCursor } from '../../http/input/cursors.ts';
import { answers, Cursor, exactly, Limit, listOf, Seq, Uuid } from '../../http/input/schemas.ts';
import { SendBody, type SendOutcome } from '../state/message-draft.ts';
import { MessageShape } from '../state/message-shape.ts';
import { EditBody, EditShape, MessagePage, MessageParams, PendingShape, RoomParams } from './message-schemas.ts';
import type { MessageService } from './message-service.ts';
import { SendOrder } from './send-order.ts';

interface Options {
  messages: MessageService;
  authenticator: Authenticator;
}

type App = Parameters<FastifyPluginAsyncTypebox<Options>>[0];

const tags = ['messages'];

export const messageRoutes: FastifyPluginAsyncTypebox<Options> = async (app, options) => {
  addSendRoute(app, options);
  addChangeRoutes(app, options);
  addHistoryRoutes(app, options);
  addDetailRoutes(app, options);
};

function addSendRoute(app: App, { messages, authenticator }: Options): void {
  app.post(
    '/rooms/:roomId/messages',
    {
      schema: {
        tags,
        operationId: 'sendMessage',
        summary: 'Send a message',
        description:
          '200 repeats the first answer if the clientId was used before. 202: stored, but not delivered until it is judged.',
        params: RoomParams,
        body: SendBody,
        response: { ...answers(201, MessageShape), 200: MessageShape, 202: PendingShape },
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId } = request.params;
      const origin = { order: new SendOrder(), isOpen: () => isCallerThere(request) };
      const outcome = await messages.send(caller, { ...request.body, roomId }, origin);
      if (outcome.pending) return reply.code(202).send(toPending(outcome, roomId, request.body.clientId));
      if (!outcome.duplicate) return reply.code(201).send(await messages.findStored(caller, roomId, outcome.messageId));
      const first = await messages.findRepeated(caller, roomId, outcome.messageId);
      return reply.code(200).send({ ...first, duplicate: true });
    },
  );
}

function toPending({ messageId: id, atMs, duplicate }: SendOutcome, roomId: string, clientId: string) {
  const createdAt = new Date(atMs).toISOString();
  const waiting = { id, roomId, clientId, createdAt, pending: true as const };
  return duplicate ? { ...waiting, duplicate } : waiting;
}

function addChangeRoutes(app: App, { messages, authenticator }: Options): void {
  app.patch(
    '/rooms/:roomId/messages/:messageId',
    {
      schema: {
        tags,
        operationId: 'editMessage',
        summary: 'Edit a message',
        description: 'By its author. The text is judged like a new one. Earlier versions stay readable.',
        params: MessageParams,
        body: EditBody,
        response: answers(200, MessageShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, messageId } = request.params;
      await messages.edit(caller, roomId, messageId, request.body.text);
      return messages.find(caller, roomId, messageId);
    },
  );

  app.delete(
    '/rooms/:roomId/messages/:messageId',
    {
      schema: {
        tags,
        operationId: 'deleteMessage',
        summary: 'Delete a message',
        description: 'By its author or a moderator. The message keeps its place and loses its content.',
        params: MessageParams,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      await messages.remove(caller, request.params.roomId, request.params.messageId);
      return reply.code(204).send(null);
    },
  );
}

function addHistoryRoutes(app: App, { messages, authenticator }: Options): void {
  const HistoryQuery = exactly({
    before: Type.Optional(Seq),
    after: Type.Optional(Seq),
    around: Type.Optional(Seq),
    threads: Type.Optional(
      Type.Literal('all', { description: 'Messages that are in a thread alone are left out unless `all`' }),
    ),
    threadId: Type.Optional(
      Type.String({ ...Uuid, description: 'The messages of one thread, without the message that starts it' }),
    ),
    limit: Type.Optional(Limit),
  });
  app.get(
    '/rooms/:roomId/messages',
    {
      config: { scope: 'messages:read' },
      schema: {
        tags,
        operationId: 'listMessages',
        summary: 'List messages of a room, in seq order',
        description: 'At most one of `before`, `after` and `around`, each a seq. Without them: the newest messages.',
        params: RoomParams,
        querystring: HistoryQuery,
        response: answers(200, MessagePage),
      },
    },
    async (request, reply) => {
      const { limit = 50, threads, threadId, ...range } = request.query;
      const json = await authenticator.readAs(request, async (caller) => {
        if (Object.keys(range).length > 1) throw invalid('/querystring', 'at most one of before, after and around');
        if (threadId !== undefined)
          return messages.thread(caller, { ...request.params, messageId: threadId }, { ...range, limit });
        const scope = threads === undefined ? {} : { scope: { threads } };
        return messages.history(caller, request.params.roomId, { ...range, ...scope, limit });
      });
      return reply.type('application/json; charset=utf-8').send(json as never);
    },
  );

  const RepliesQuery = exactly({ after: Type.Optional(Seq), limit: Type.Optional(Limit) });
  app.get(
    '/rooms/:roomId/messages/:messageId/replies',
    {
      schema: {
        tags,
        operationId: 'listReplies',
        summary: 'List replies to a message, in seq order',
        description: 'Messages of the room whose `replyTo` is this message.',
        params: MessageParams,
        querystring: RepliesQuery,
        response: answers(200, MessagePage),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { after = 0, limit = 50 } = request.query;
      return messages.replies(caller, request.params.roomId, request.params.messageId, after, limit);
    },
  );
}

function addDetailRoutes(app: App, { messages, authenticator }: Options): void {
  app.get(
    '/rooms/:roomId/messages/:messageId',
    {
      config: { scope: 'messages:read' },
      schema: {
        tags,
        operationId: 'getMessage',
        summary: 'Get a message',
        description: 'As of now, with its reactions, files, poll and thread.',
        params: MessageParams,
        response: answers(200, MessageShape),
      },
    },
    async (request) =>
      messages.find(await authenticator.fromRequest(request), request.params.roomId, request.params.messageId),
  );

  app.get(
    '/rooms/:roomId/messages/:messageId/edits',
    {
      schema: {
        tags,
        operationId: 'listMessageEdits',
        summary: 'List earlier versions of a message, oldest first',
        description: 'Without the present version.',
        params: MessageParams,
        querystring: exactly({ limit: Type.Optional(Limit), cursor: Type.Optional(Cursor) }),
        response: answers(200, listOf(EditShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, messageId } = request.params;
      const { limit = 50, cursor } = request.query;
      const from = cursor === undefined ? 0 : readCursor(cursor, ['number'])[0] + 1;
      const found = await messages.edits(caller, roomId, messageId, from, limit + 1);
      return toPage(found, limit, (edit) => writeCursor([edit.version]));
    },
  );
}

/** Bookmarks over REST. The user's connections get `bookmark.updated` and `bookmark.reminder` frames. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { readCursor, toPage, writeCursor } from '../../http/input/cursors.ts';
import { answers, exactly, listOf, Nullable, named, PageQuery, Time, Uuid } from '../../http/input/schemas.ts';
import { requireDeployment } from '../../permissions.ts';
import { MessageShape } from '../state/message-shape.ts';
import type { BookmarkService } from './bookmark-service.ts';

const tags = ['bookmarks'];
const MessageParams = exactly({ roomId: Uuid, messageId: Uuid });

const bookmarkFields = {
  roomId: Uuid,
  messageId: Uuid,
  note: Type.String(),
  remindAt: Nullable(Time),
  reminded: Type.Boolean({ description: 'The time has come, and my connections got `bookmark.reminder`' }),
  createdAt: Time,
};
export const BookmarkShape = named(
  'Bookmark',
  Type.Object(bookmarkFields, { description: 'A message that a user marked for later' }),
);
const ListedBookmarkShape = named(
  'ListedBookmark',
  Type.Object({
    ...bookmarkFields,
    gone: Type.Boolean({ description: 'The message is deleted, or I may not read it any more' }),
    message: Nullable(MessageShape),
  }),
);

export const bookmarkRoutes: FastifyPluginAsyncTypebox<{
  bookmarks: BookmarkService;
  authenticator: Authenticator;
}> = async (app, { bookmarks, authenticator }) => {
  app.get(
    '/bookmarks',
    {
      schema: {
        tags,
        summary: 'List my bookmarks, newest first',
        description: 'Each with its message as of now. A bookmark outlives its message: it is `gone` then.',
        operationId: 'listBookmarks',
        querystring: PageQuery,
        response: answers(200, listOf(ListedBookmarkShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'keep_account');
      const { limit = 50, cursor } = request.query;
      const found = await bookmarks.list(caller, { before: readPlace(cursor), limit: limit + 1 });
      return toPage(found, limit, ({ createdAt, messageId }) => writeCursor([Date.parse(createdAt), messageId]));
    },
  );

  app.put(
    '/rooms/:roomId/messages/:messageId/bookmark',
    {
      schema: {
        tags,
        summary: 'Bookmark a message',
        description:
          'Replaces the note and the time of the reminder. The note is for me alone, so it is not judged. At `remindAt`, all my connections get `bookmark.reminder`, and the list says `reminded`.',
        operationId: 'putBookmark',
        params: MessageParams,
        body: Type.Optional(
          Nullable(
            exactly({
              note: Type.Optional(Type.String({ maxLength: 100_000 })),
              remindAt: Type.Optional(Nullable(Time)),
            }),
          ),
        ),
        response: answers(200, BookmarkShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { note = '', remindAt = null } = request.body ?? {};
      return bookmarks.put(caller, request.params, { note, remindAt });
    },
  );

  app.delete(
    '/rooms/:roomId/messages/:messageId/bookmark',
    {
      schema: {
        tags,
        summary: 'Delete a bookmark',
        description: 'Also of a message that is gone. A repeat changes nothing.',
        operationId: 'deleteBookmark',
        params: MessageParams,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'keep_account');
      await bookmarks.remove(caller, request.params);
      return reply.code(204).send(null);
    },
  );
};

function readPlace(cursor: string | undefined) {
  if (cursor === undefined) return undefined;
  const [ms, messageId] = readCursor(cursor, ['number', 'uuid']);
  // Any number is a whole one here; beyond the range of dates it names none.
  const createdAt = new Date(Math.min(Math.max(ms, 0), 253_402_300_799_999)).toISOString();
  return { createdAt, messageId };
}

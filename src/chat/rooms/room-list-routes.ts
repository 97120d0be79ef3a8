/** Lists the caller's rooms and public rooms over REST. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { invalid } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import { readCursor, toPage, writeCursor } from '../../http/input/cursors.ts';
import { answers, Cursor, exactly, Limit, listOf } from '../../http/input/schemas.ts';
import type { Message } from '../state/message-shape.ts';
import type { OwnRoom, RoomLists } from './room-list-repository.ts';
import { ListedRoomShape } from './room-schemas.ts';
import type { RoomViews } from './room-views.ts';

interface Options {
  readonly lists: RoomLists;
  readonly views: RoomViews;
  /** The messages at these seqs as this user sees them, in any order; absent ones are left out. */
  readonly findMessages: (userId: string, places: readonly { roomId: string; seq: number }[]) => Promise<Message[]>;
  readonly authenticator: Authenticator;
}

interface PageRequest {
  readonly userId: string;
  readonly limit: number;
  readonly cursor: string | undefined;
}

const ListQuery = exactly({
  visibility: Type.Optional(Type.Literal('public')),
  query: Type.Optional(
    Type.String({ maxLength: 200, description: 'Part of a name or topic. Only with visibility=public' }),
  ),
  limit: Type.Optional(Limit),
  cursor: Type.Optional(Cursor),
});

export const roomListRoutes: FastifyPluginAsyncTypebox<Options> = async (app, { authenticator, ...parts }) => {
  app.get(
    '/rooms',
    {
      schema: {
        tags: ['rooms'],
        operationId: 'listRooms',
        summary: 'List my rooms, or public rooms',
        description:
          'With `visibility=public`: rooms that one may join. Otherwise one’s own rooms, newest activity first.',
        querystring: ListQuery,
        response: answers(200, listOf(ListedRoomShape)),
      },
    },
    async (request) => {
      const { userId } = await authenticator.fromRequest(request);
      const { visibility, query = '', limit = 50, cursor } = request.query;
      if (visibility === 'public') return listPublicRooms(parts.lists, { userId, limit, cursor }, query);
      if (query !== '') throw invalid('/query', 'only with visibility=public');
      return listOwnRooms(parts, { userId, limit, cursor });
    },
  );
};

async function listPublicRooms(lists: RoomLists, { userId, limit, cursor }: PageRequest, query: string) {
  const from = cursor === undefined ? undefined : readCursor(cursor, ['string', 'uuid']);
  const after = from && { name: from[0], id: from[1] };
  if (!query.isWellFormed() || query.includes('\0')) throw invalid('/query', 'not a text');
  const found = await lists.publicRooms(userId, query, after, limit + 1);
  return toPage(found, limit, (room) => writeCursor([room.name, room.id]));
}

/** Newest activity first; the cursor is the last room's place in that order. */
async function listOwnRooms(
  { lists, views, findMessages }: Omit<Options, 'authenticator'>,
  { userId, limit, cursor }: PageRequest,
) {
  const from = cursor === undefined ? undefined : readCursor(cursor, ['number', 'uuid']);
  const found = await lists.ownRooms(userId, from && { activeAtMs: from[0], id: from[1] }, limit + 1);
  const page = toPage(found, limit, (room) => writeCursor([room.activeAtMs, room.id]));
  const newest = await findMessages(
    userId,
    page.items.flatMap(({ id, lastMessageSeq }) =>
      lastMessageSeq === null ? [] : [{ roomId: id, seq: lastMessageSeq }],
    ),
  );
  const lastMessages = new Map(newest.map((message) => [message.roomId, message]));
  const items = page.items.map(async (own) => {
    const { joinedSeq: _joined, activeAtMs: _active, lastMessageSeq: _last, others, ...room } = own;
    const lastMessage = visibleTo(own, lastMessages.get(room.id));
    return { ...room, name: await views.nameFor(room, others), lastMessage };
  });
  return { items: await Promise.all(items), nextCursor: page.nextCursor };
}

/** A room with `joined` history hides what was said before its member joined. */
function visibleTo({ history, joinedSeq }: OwnRoom, message: Message | undefined): Message | null {
  return message && (history === 'all' || message.seq >= joinedSeq) ? message : null;
}

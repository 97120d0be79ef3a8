/** Reactions over REST. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { readCursor, toPage, writeCursor } from '../../http/input/cursors.ts';
import { answers, exactly, listOf, named, PageQuery, PublicUser, Time, Uuid } from '../../http/input/schemas.ts';
import { ChangeSeq } from '../messages/message-schemas.ts';
import { emojiLengthMax } from './reaction-emoji.ts';
import type { ReactionService } from './reaction-service.ts';

const ReactionParams = exactly({
  roomId: Uuid,
  messageId: Uuid,
  emoji: Type.String({
    minLength: 1,
    maxLength: emojiLengthMax,
    description: 'One emoji, percent-encoded, or `:name:` of a custom emoji',
  }),
});

const PersonShape = named('ReactedUser', Type.Object({ user: PublicUser, at: Time }));

const path = '/rooms/:roomId/messages/:messageId/reactions/:emoji';
const tags = ['messages'];

interface Options {
  reactions: ReactionService;
  authenticator: Authenticator;
}

type App = Parameters<FastifyPluginAsyncTypebox<Options>>[0];

export const reactionRoutes: FastifyPluginAsyncTypebox<Options> = async (app, options) => {
  addChangeRoutes(app, options);
  addPeopleRoute(app, options);
};

function addChangeRoutes(app: App, { reactions, authenticator }: Options): void {
  app.put(
    path,
    {
      schema: {
        tags,
        operationId: 'addReaction',
        summary: 'React to a message',
        description:
          'The same reaction again changes nothing and gets the seq of the first. 409: the message has as many different reactions as it may have (`message.reactionsMax`).',
        params: ReactionParams,
        response: answers(200, ChangeSeq),
      },
    },
    async (request) => reactions.add(await authenticator.fromRequest(request), request.params),
  );

  app.delete(
    path,
    {
      schema: {
        tags,
        operationId: 'removeReaction',
        summary: 'Take a reaction back',
        description:
          'A reaction that is not there is no error: the answer is the newest seq of the room. Moderators may remove the reaction of another user.',
        params: ReactionParams,
        querystring: exactly({ userId: Type.Optional(Uuid) }),
        response: answers(200, ChangeSeq),
      },
    },
    async (request) => reactions.remove(await authenticator.fromRequest(request), request.params, request.query.userId),
  );
}

function addPeopleRoute(app: App, { reactions, authenticator }: Options): void {
  app.get(
    path,
    {
      schema: {
        tags,
        operationId: 'listReactionPeople',
        summary: 'List the people who reacted with an emoji, the first one first',
        description: 'All of them, page by page; a message itself shows the first 20.',
        params: ReactionParams,
        querystring: PageQuery,
        response: answers(200, listOf(PersonShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { limit = 50, cursor } = request.query;
      const after = cursor === undefined ? 0 : readCursor(cursor, ['number'])[0];
      const found = await reactions.people(caller, request.params, { after, limit: limit + 1 });
      const { items, nextCursor } = toPage(found, limit, ({ seq }) => writeCursor([seq]));
      return { items: items.map(({ user, at }) => ({ user, at })), nextCursor };
    },
  );
}

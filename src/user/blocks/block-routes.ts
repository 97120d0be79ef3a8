/** Blocking and unblocking users. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly, listOf, PublicUser, Uuid } from '../../http/input/schemas.ts';
import { requireDeployment } from '../../permissions.ts';
import type { BlockService } from './block-service.ts';

export interface BlockRouteOptions {
  readonly blocks: BlockService;
  readonly authenticator: Authenticator;
}

const tags = ['users'];
const UserParams = exactly({ userId: Uuid });

export const blockRoutes: FastifyPluginAsyncTypebox<BlockRouteOptions> = async (app, { blocks, authenticator }) => {
  async function requireOwner(request: FastifyRequest): Promise<string> {
    const caller = await authenticator.fromRequest(request);
    requireDeployment(caller, 'keep_account');
    return caller.userId;
  }

  app.get(
    '/users/me/blocks',
    {
      schema: {
        tags,
        operationId: 'listMyBlocks',
        summary: 'List the users I block',
        description: 'The users whose direct messages, mentions and typing do not reach the caller.',
        response: answers(200, listOf(PublicUser)),
      },
    },
    async (request) => ({ items: await blocks.list(await requireOwner(request)), nextCursor: null }),
  );

  app.put(
    '/users/me/blocks/:userId',
    {
      schema: {
        tags,
        operationId: 'blockUser',
        summary: 'Block a user',
        description:
          'To the blocked user I seem not to exist: they cannot start a conversation with me, add me to rooms, mention me or see me typing.',
        params: UserParams,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await blocks.put(await requireOwner(request), request.params.userId);
      return reply.code(204).send(null);
    },
  );

  app.delete(
    '/users/me/blocks/:userId',
    {
      schema: {
        tags,
        operationId: 'unblockUser',
        summary: 'Unblock a user',
        description: 'The user can write to the caller again. Unblocking a user who is not blocked changes nothing.',
        params: UserParams,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await blocks.remove(await requireOwner(request), request.params.userId);
      return reply.code(204).send(null);
    },
  );
};

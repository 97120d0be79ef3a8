/** Presence over REST. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { invalid } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly, isUuid } from '../../http/input/schemas.ts';
import { requireDeployment } from '../../permissions.ts';
import type { PresenceService } from '../../realtime/presence/presence-service.ts';
import { PresenceAnswer, toPresenceAnswer } from './presence-answers.ts';

interface Options {
  readonly presence: Pick<PresenceService, 'find'>;
  readonly authenticator: Authenticator;
  readonly settings: { readonly watchMax: number };
}

/** An id and a comma, and some room. */
const idLength = 40;

export const presenceRoutes: FastifyPluginAsyncTypebox<Options> = async (
  app,
  { presence, authenticator, settings },
) => {
  const { watchMax } = settings;
  const Ids = Type.String({ maxLength: watchMax * idLength });
  app.get(
    '/presence',
    {
      schema: {
        tags: ['users'],
        operationId: 'getPresence',
        summary: 'See who is online',
        description:
          'Of people who share a room with me and do not block me; all others are `offline`. `userIds` holds ids separated by commas, or is repeated. Changes come over the WebSocket after `presence.watch`.',
        querystring: exactly({ userIds: Type.Union([Ids, Type.Array(Ids, { maxItems: watchMax })]) }),
        response: answers(200, PresenceAnswer),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      requireDeployment(caller, 'chat');
      return toPresenceAnswer(await presence.find(caller.userId, readIds(request.query.userIds, watchMax)));
    },
  );
};

/** @throws Failure `invalid` */
function readIds(given: string | readonly string[], max: number): string[] {
  const texts = typeof given === 'string' ? [given] : given;
  const ids = [...new Set(texts.flatMap((text) => text.split(',')).filter((id) => id !== ''))];
  if (ids.length > max) throw invalid('/userIds', `at most ${max} ids`);
  if (!ids.every(isUuid)) throw invalid('/userIds', 'must be user ids');
  return ids;
}

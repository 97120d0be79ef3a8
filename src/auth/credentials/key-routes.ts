/** `/.well-known/jwks.json`: the public keys that verify Parley's access tokens. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { SigningKeys } from './signing-keys.ts';

export const keyRoutes: FastifyPluginAsyncTypebox<{ keys: SigningKeys }> = async (app, { keys }) => {
  app.get(
    '/.well-known/jwks.json',
    {
      schema: {
        tags: ['login'],
        operationId: 'getPublicKeys',
        summary: 'Public keys of access tokens (RFC 7517)',
        description: 'Other servers check access tokens with these keys. Cache them as the headers say.',
        security: [],
      },
    },
    async (_request, reply) => reply.header('cache-control', 'public, max-age=300').send({ keys: keys.publicJwks() }),
  );
};

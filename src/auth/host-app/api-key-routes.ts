/** `/v1/api-keys`: deployment admins create them for other servers. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { type Authenticator, apiScopes } from '../../http/caller/caller.ts';
import type { IdempotencyKeys } from '../../http/idempotency.ts';
import { requireLine } from '../../http/input/line-text.ts';
import {
  answers,
  exactly,
  IdempotencyHeaders,
  listOf,
  Nullable,
  named,
  StorableText,
  Time,
  Uuid,
} from '../../http/input/schemas.ts';
import { requireDeployment } from '../../permissions.ts';
import type { ApiKeys } from './api-keys.ts';

export interface ApiKeyRouteOptions {
  readonly apiKeys: ApiKeys;
  readonly authenticator: Authenticator;
  readonly idempotency: IdempotencyKeys;
}

const tags = ['servers'];
/** Code points of a key's name. */
const nameMax = 100;
const Scope = Type.Union(apiScopes.map((scope) => Type.Literal(scope)));
const ApiKeyShape = named(
  'ApiKey',
  Type.Object({
    id: Uuid,
    name: Type.String(),
    scopes: Type.Array(Type.String()),
    createdBy: Uuid,
    createdAt: Time,
    lastUsedAt: Nullable(Time),
  }),
);

export const apiKeyRoutes: FastifyPluginAsyncTypebox<ApiKeyRouteOptions> = async (
  app,
  { apiKeys, authenticator, idempotency },
) => {
  async function requireAdmin(request: Parameters<Authenticator['fromRequest']>[0]) {
    const caller = await authenticator.fromRequest(request);
    requireDeployment(caller, 'manage_api_keys');
    return caller;
  }

  app.get(
    '/api-keys',
    {
      schema: {
        tags,
        operationId: 'listApiKeys',
        summary: 'List the valid API keys',
        description:
          'Names, scopes and when each was used last. The keys themselves are shown once, when they are created.',
        response: answers(200, listOf(ApiKeyShape)),
      },
    },
    async (request) => {
      await requireAdmin(request);
      return { items: await apiKeys.list(), nextCursor: null };
    },
  );

  app.post(
    '/api-keys',
    {
      schema: {
        tags,
        operationId: 'createApiKey',
        summary: 'Create an API key',
        description:
          'The key is shown only once. A repeat with the same Idempotency-Key creates no second key and does not show the key again.',
        headers: IdempotencyHeaders,
        body: exactly({
          name: StorableText({ minLength: 1, maxLength: 400 }),
          scopes: Type.Array(Scope, { minItems: 1, maxItems: apiScopes.length }),
        }),
        response: answers(201, Type.Object({ id: Uuid, key: Nullable(Type.String()) })),
      },
    },
    async (request, reply) => {
      const caller = await requireAdmin(request);
      const { name, scopes } = request.body;
      const clean = requireLine(name, '/name', { max: nameMax });
      return idempotency.create(request, reply, caller.userId, async (id) => ({
        status: 201,
        body: await apiKeys.create(caller, { scopes, name: clean, id }),
      }));
    },
  );

  app.delete(
    '/api-keys/:keyId',
    {
      schema: {
        tags,
        operationId: 'revokeApiKey',
        summary: 'Revoke an API key immediately',
        description: 'Requests with the key are refused from here on, on all instances.',
        params: exactly({ keyId: Uuid }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await requireAdmin(request);
      await apiKeys.revoke(request.params.keyId);
      return reply.code(204).send(null);
    },
  );
};

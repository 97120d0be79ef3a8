/** The identities that are linked to one's account. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Authenticator, Caller } from '../../http/caller/caller.ts';
import { answers, exactly, listOf, Nullable, named, Time, Uuid } from '../../http/input/schemas.ts';
import { requireDeployment } from '../../permissions.ts';
import { needsFreshLogin } from '../sessions/login-schemas.ts';
import type { IdentityLinking } from './identity-linking.ts';
import { startPathOf } from './oauth-provider.ts';
import { type LoginProviders, ProviderName, requireProvider } from './provider-routes.ts';
import type { ReturnAddresses } from './return-addresses.ts';

export interface IdentityRouteOptions {
  readonly linking: IdentityLinking;
  readonly authenticator: Authenticator;
  readonly providers: LoginProviders;
  readonly publicUrl: string;
  readonly returnAddresses: ReturnAddresses;
  readonly rateLimit: { readonly max: number; readonly timeWindow: number };
}

const tags = ['users'];
const Identity = named(
  'LinkedIdentity',
  Type.Object({
    id: Uuid,
    provider: Nullable(Type.String({ description: 'null for a host application' })),
    issuer: Type.String(),
    name: Nullable(Type.String()),
    createdAt: Time,
  }),
);

export const identityRoutes: FastifyPluginAsyncTypebox<IdentityRouteOptions> = async (
  app,
  { linking, authenticator, providers, publicUrl, returnAddresses, rateLimit },
) => {
  const config = { rateLimit };

  async function requireOwner(request: FastifyRequest): Promise<Caller> {
    const caller = await authenticator.fromRequest(request);
    requireDeployment(caller, 'link_identity');
    return caller;
  }

  app.get(
    '/users/me/identities',
    {
      schema: {
        tags,
        operationId: 'listMyIdentities',
        summary: 'List my linked identities',
        description: 'The accounts of providers that open the account of the caller.',
        response: answers(200, listOf(Identity)),
      },
    },
    async (request) => ({
      items: await linking.list((await authenticator.fromRequest(request)).userId),
      nextCursor: null,
    }),
  );

  app.post(
    '/users/me/identities',
    {
      config,
      schema: {
        tags,
        operationId: 'startLinkingIdentity',
        summary: 'Begin linking a provider to my account: open `url` in the browser',
        description: needsFreshLogin,
        body: exactly({ provider: ProviderName, returnTo: Type.Optional(Type.String({ maxLength: 2048 })) }),
        response: answers(201, Type.Object({ url: Type.String() })),
      },
    },
    async (request, reply) => {
      const caller = await requireOwner(request);
      const { provider, returnTo } = request.body;
      requireProvider(providers, provider);
      const query = new URLSearchParams({
        returnTo: returnAddresses.require(returnTo),
        link: await linking.start(caller, provider),
      });
      return reply.code(201).send({ url: `${publicUrl.replace(/\/$/, '')}${startPathOf(provider)}?${query}` });
    },
  );

  app.post(
    '/users/me/identities/link',
    {
      config,
      schema: {
        tags,
        operationId: 'finishLinkingIdentity',
        summary: 'Finish linking with the code from #link=…',
        description: 'The provider’s account opens the account of the caller from here on.',
        body: exactly({ code: Type.String({ minLength: 1, maxLength: 200 }) }),
        response: answers(200, Identity),
      },
    },
    async (request) => linking.finish(await requireOwner(request), request.body.code),
  );

  app.delete(
    '/users/me/identities/:identityId',
    {
      schema: {
        tags,
        operationId: 'unlinkIdentity',
        summary: 'Unlink a provider',
        description: `The last login method cannot be removed. ${needsFreshLogin}`,
        params: exactly({ identityId: Uuid }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await linking.unlink(await requireOwner(request), request.params.identityId);
      return reply.code(204).send(null);
    },
  );
};

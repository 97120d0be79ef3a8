/** One's data: all of it in an archive, and the end of it. And whom one wants nothing from. */
import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { PersonalData } from '../../database/personal-data.ts';
import type { Authenticator, Caller } from '../../http/caller/caller.ts';
import { answers, exactly, listOf, Nullable, PublicUser, Time, Uuid } from '../../http/input/schemas.ts';
import { requireDeployment } from '../../permissions.ts';
import type { BlockService } from '../blocks/block-service.ts';
import type { Erasures } from './erasure-service.ts';
import { type ArchiveEntry, writeZip } from './zip-archive.ts';

export interface PrivacyRouteOptions {
  readonly parts: readonly PersonalData[];
  readonly erasures: Erasures;
  readonly blocks: BlockService;
  readonly authenticator: Authenticator;
  /** @throws Failure unless the password, or a fresh login, shows that it is really them */
  readonly prove: (caller: Caller, password: string | undefined) => Promise<void>;
  /** @throws Failure `rate_limited` */
  readonly countExport: (userId: string) => Promise<void>;
  readonly eraseLimit: { readonly max: number; readonly timeWindow: number };
}

const tags = ['privacy'];
const ReceiptShape = Type.Object({
  id: Uuid,
  userId: Uuid,
  requestedAt: Time,
  finishedAt: Nullable(Time),
  receipt: Nullable(Type.String({ description: 'For `admin verify-erased`; kept nowhere but here' })),
});

export const privacyRoutes: FastifyPluginAsyncTypebox<PrivacyRouteOptions> = async (
  app,
  { parts, erasures, blocks, authenticator, prove, countExport, eraseLimit },
) => {
  async function requireOwner(request: Parameters<Authenticator['fromRequest']>[0]): Promise<Caller> {
    const caller = await authenticator.fromRequest(request);
    requireDeployment(caller, 'keep_account');
    return caller;
  }

  app.get(
    '/users/me/export',
    {
      schema: { tags, summary: 'All that is kept of me, as a ZIP archive of JSON files' },
    },
    async (request, reply) => {
      const { userId } = await requireOwner(request);
      await countExport(userId);
      return reply
        .header('content-disposition', 'attachment; filename="parley-export.zip"')
        .type('application/zip')
        .send(Readable.from(writeZip(archiveOf(parts, userId)), { objectMode: false }));
    },
  );

  app.delete(
    '/users/me',
    {
      config: { rateLimit: eraseLimit },
      schema: {
        tags,
        summary: 'Erase me: by my password, or a login that is fresh',
        body: Type.Optional(
          Type.Union([
            exactly({ password: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })) }),
            Type.Null(),
          ]),
        ),
        response: answers(200, ReceiptShape),
      },
    },
    async (request) => {
      const caller = await requireOwner(request);
      await prove(caller, request.body?.password);
      return erasures.request(caller.userId);
    },
  );

  app.delete(
    '/users/:userId',
    {
      config: { scope: 'users:erase' },
      schema: {
        tags: ['servers'],
        summary: 'Erase a user; again, the state of that',
        params: exactly({ userId: Uuid }),
        response: answers(200, ReceiptShape),
      },
    },
    async (request) => {
      requireDeployment(await authenticator.fromRequest(request), 'manage_users');
      return erasures.request(request.params.userId);
    },
  );

  app.get(
    '/users/me/blocks',
    { schema: { tags: ['users'], summary: 'Whom I block', response: answers(200, listOf(PublicUser)) } },
    async (request) => ({ items: await blocks.list((await requireOwner(request)).userId), nextCursor: null }),
  );

  app.put(
    '/users/me/blocks/:userId',
    {
      schema: {
        tags: ['users'],
        summary: 'Block somebody: to them I am absent when they begin a conversation, add people, type or mention',
        params: exactly({ userId: Uuid }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await blocks.put((await requireOwner(request)).userId, request.params.userId);
      return reply.code(204).send(null);
    },
  );

  app.delete(
    '/users/me/blocks/:userId',
    {
      schema: {
        tags: ['users'],
        summary: 'Unblock somebody',
        params: exactly({ userId: Uuid }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await blocks.remove((await requireOwner(request)).userId, request.params.userId);
      return reply.code(204).send(null);
    },
  );
};

/** Each page of rows is a file: `messages/000001.json`. */
async function* archiveOf(parts: readonly PersonalData[], userId: string): AsyncGenerator<ArchiveEntry> {
  for (const part of parts) {
    for (const [name, rows] of Object.entries(part.exports)) {
      let page = 0;
      for await (const content of rows(userId)) {
        if (content.length === 0) continue;
        page += 1;
        yield {
          name: `${name}/${String(page).padStart(6, '0')}.json`,
          content: Buffer.from(`${JSON.stringify(content, null, 1)}\n`),
        };
      }
    }
  }
}

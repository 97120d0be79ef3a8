/** Exporting and erasing one's data. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { PersonalData } from '../../database/personal-data.ts';
import type { Authenticator, Caller } from '../../http/caller/caller.ts';
import { answers, exactly, Nullable, named, Time, Uuid } from '../../http/input/schemas.ts';
import { requireDeployment } from '../../permissions.ts';
import type { Erasures } from './erasure-service.ts';
import { type ArchiveEntry, zipOf } from './zip-archive.ts';

export interface PrivacyRouteOptions {
  readonly parts: readonly PersonalData[];
  readonly erasures: Erasures;
  readonly authenticator: Authenticator;
  /** @throws Failure unless the password or a recent login proves that the caller owns the account */
  readonly prove: (caller: Caller, password: string | undefined) => Promise<void>;
  /** @throws Failure `rate_limited` */
  readonly countExport: (userId: string) => Promise<void>;
  readonly eraseLimit: { readonly max: number; readonly timeWindow: number };
}

const tags = ['privacy'];
const ReceiptShape = named(
  'ErasureReceipt',
  Type.Object({
    id: Uuid,
    userId: Uuid,
    requestedAt: Time,
    finishedAt: Nullable(Time),
    receipt: Nullable(Type.String({ description: 'For `admin verify-erased`. Parley does not keep it' })),
  }),
);

export const privacyRoutes: FastifyPluginAsyncTypebox<PrivacyRouteOptions> = async (
  app,
  { parts, erasures, authenticator, prove, countExport, eraseLimit },
) => {
  async function requireOwner(request: Parameters<Authenticator['fromRequest']>[0]): Promise<Caller> {
    const caller = await authenticator.fromRequest(request);
    requireDeployment(caller, 'keep_account');
    return caller;
  }

  app.get(
    '/users/me/export',
    {
      schema: {
        tags,
        operationId: 'exportMyData',
        summary: 'Export my data as a ZIP archive of JSON files',
        description: 'Everything that is stored about the caller, streamed. The number of archives an hour is limited.',
      },
    },
    async (request, reply) => {
      const { userId } = await requireOwner(request);
      await countExport(userId);
      return reply
        .header('content-disposition', 'attachment; filename="parley-export.zip"')
        .type('application/zip')
        .send(zipOf(archiveOf(parts, userId)));
    },
  );

  app.delete(
    '/users/me',
    {
      config: { rateLimit: eraseLimit },
      schema: {
        tags,
        operationId: 'eraseMyAccount',
        summary: 'Erase my account and data',
        description: 'Needs the password or a recent login.',
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
        operationId: 'eraseUser',
        summary: 'Erase a user',
        description: 'A repeated request answers the state of the erasure.',
        params: exactly({ userId: Uuid }),
        response: answers(200, ReceiptShape),
      },
    },
    async (request) => {
      requireDeployment(await authenticator.fromRequest(request), 'manage_users');
      return erasures.request(request.params.userId);
    },
  );
};

/** Writes each page of rows as a file: `messages/000001.json`. */
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

/** Reports of messages over REST: open to every reader. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { MessageParams } from '../../chat/messages/message-schemas.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import type { IdempotencyKeys } from '../../http/idempotency.ts';
import { answers, exactly, IdempotencyHeaders, named, Time, Uuid } from '../../http/input/schemas.ts';
import type { ReportService } from './report-service.ts';

const ReportShape = named(
  'Report',
  Type.Object({ id: Uuid, roomId: Uuid, messageId: Uuid, reason: Type.String(), createdAt: Time }),
);

export const reportRoutes: FastifyPluginAsyncTypebox<{
  reports: ReportService;
  authenticator: Authenticator;
  idempotency: IdempotencyKeys;
}> = async (app, { reports, authenticator, idempotency }) => {
  app.post(
    '/rooms/:roomId/messages/:messageId/report',
    {
      schema: {
        tags: ['moderation'],
        operationId: 'reportMessage',
        summary: 'Report a message to the moderators',
        description:
          '201 for a new report, 200 if the caller had already reported the message: then the reason is replaced.',
        params: MessageParams,
        headers: IdempotencyHeaders,
        body: exactly({ reason: Type.String({ minLength: 1, maxLength: 10_000 }) }),
        response: { ...answers(201, ReportShape), 200: ReportShape },
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      return idempotency.answer(request, reply, caller.userId, async () => {
        const { report, repeated } = await reports.report(caller, { ...request.params, ...request.body });
        return { status: repeated ? 200 : 201, body: report };
      });
    },
  );
};

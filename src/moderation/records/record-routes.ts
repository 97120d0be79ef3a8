/** The audit log and the refusals over REST. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { readCursor, toPage } from '../../http/input/cursors.ts';
import { answers, exactly, listOf } from '../../http/input/schemas.ts';
import { readPlace, ScopeQuery } from '../scope/list-place.ts';
import type { ModeratorAccess } from '../scope/moderator-access.ts';
import type { AuditLog } from './audit-log.ts';
import { AuditShape, RefusalShape } from './record-schemas.ts';
import type { RefusalLog } from './refusal-log.ts';

const tags = ['moderation'];

export const recordRoutes: FastifyPluginAsyncTypebox<{
  access: ModeratorAccess;
  audit: AuditLog;
  refusals: RefusalLog;
  authenticator: Authenticator;
}> = async (app, { access, audit, refusals, authenticator }) => {
  app.get(
    '/moderation/audit',
    {
      schema: {
        tags,
        operationId: 'listAuditLog',
        summary: 'List what moderators did',
        description: 'Newest first. Without `roomId`, in all rooms; only for staff.',
        querystring: exactly(ScopeQuery),
        response: answers(200, listOf(AuditShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, limit = 50, cursor } = request.query;
      await access.require(caller, roomId);
      return toPage(await audit.list(roomId, readPlace(cursor), limit), limit, audit.cursorOf);
    },
  );

  app.get(
    '/moderation/refusals',
    {
      schema: {
        tags,
        operationId: 'listRefusals',
        summary: 'List texts that moderation refused',
        description:
          'Newest first: the author and the reasons, never the text. Without `roomId`, in all rooms; only for staff.',
        querystring: exactly(ScopeQuery),
        response: answers(200, listOf(RefusalShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, limit = 50, cursor } = request.query;
      const scope = await access.require(caller, roomId);
      const before = cursor === undefined ? undefined : readCursor(cursor, ['number'])[0];
      return toPage(await refusals.list(scope, before, limit), limit, refusals.cursorOf);
    },
  );
};

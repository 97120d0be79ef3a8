/** Rules over REST. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { invalid } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import type { IdempotencyKeys } from '../../http/idempotency.ts';
import { toPage } from '../../http/input/cursors.ts';
import { answers, exactly, IdempotencyHeaders, listOf, Uuid } from '../../http/input/schemas.ts';
import { NewRuleBody, RehearsalShape, RuleShape, readPlace, ScopeQuery } from '../scope/moderation-schemas.ts';
import type { RuleService } from './rule-service.ts';

const tags = ['moderation'];
const daysDefault = 7;
const daysMax = 90;

export const ruleRoutes: FastifyPluginAsyncTypebox<{
  rules: RuleService;
  authenticator: Authenticator;
  idempotency: IdempotencyKeys;
}> = async (app, { rules, authenticator, idempotency }) => {
  app.get(
    '/moderation/rules',
    {
      schema: {
        tags,
        summary: 'The rules of a room; without roomId those of the deployment, for the staff',
        querystring: exactly(ScopeQuery),
        response: answers(200, listOf(RuleShape)),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      const { roomId, limit = 50, cursor } = request.query;
      return toPage(await rules.list(caller, roomId, readPlace(cursor), limit), limit, rules.cursorOf);
    },
  );

  app.post(
    '/moderation/rules',
    {
      schema: {
        tags,
        summary: 'Make a rule; with dryRun=true only say what it would have done in the last days',
        querystring: exactly({
          dryRun: Type.Optional(Type.Boolean()),
          days: Type.Optional(Type.Integer({ minimum: 1, maximum: daysMax, default: daysDefault })),
        }),
        headers: IdempotencyHeaders,
        body: NewRuleBody,
        response: { ...answers(201, RuleShape), 200: RehearsalShape },
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      const { dryRun = false, days } = request.query;
      if (dryRun) return reply.code(200).send(await rules.rehearse(caller, request.body, days ?? daysDefault));
      if (days !== undefined) throw invalid('/days', 'only with dryRun=true');
      return idempotency.create(request, reply, caller.userId, async (id) => ({
        status: 201,
        body: await rules.create(caller, request.body, id),
      }));
    },
  );

  app.delete(
    '/moderation/rules/:id',
    {
      schema: {
        tags,
        summary: 'Take a rule back',
        params: exactly({ id: Uuid }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await rules.remove(await authenticator.fromRequest(request), request.params.id);
      return reply.code(204).send(null);
    },
  );
};

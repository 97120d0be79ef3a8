/** Moderation rules over REST. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { invalid } from '../../errors.ts';
import type { Authenticator } from '../../http/caller/caller.ts';
import type { IdempotencyKeys } from '../../http/idempotency.ts';
import { toPage } from '../../http/input/cursors.ts';
import { answers, exactly, IdempotencyHeaders, listOf, Uuid } from '../../http/input/schemas.ts';
import { readPlace, ScopeQuery } from '../scope/list-place.ts';
import type { TryRule } from './dry-run-service.ts';
import { DryRunShape, NewRuleBody, RuleShape } from './rule-schemas.ts';
import type { RuleService } from './rule-service.ts';

const tags = ['moderation'];
const daysDefault = 7;
const daysMax = 90;

export const ruleRoutes: FastifyPluginAsyncTypebox<{
  rules: RuleService;
  tryRule: TryRule;
  authenticator: Authenticator;
  idempotency: IdempotencyKeys;
}> = async (app, { rules, tryRule, authenticator, idempotency }) => {
  app.get(
    '/moderation/rules',
    {
      schema: {
        tags,
        operationId: 'listRules',
        summary: 'List the rules of a room, or of the deployment',
        description: 'Without `roomId`, the rules of the deployment; only for staff.',
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
        operationId: 'createRule',
        summary: 'Create a rule, or try it on recent messages',
        description:
          'With `dryRun=true` nothing is stored; the answer says what the rule would have done in the last `days` days.',
        querystring: exactly({
          dryRun: Type.Optional(Type.Boolean()),
          days: Type.Optional(Type.Integer({ minimum: 1, maximum: daysMax, default: daysDefault })),
        }),
        headers: IdempotencyHeaders,
        body: NewRuleBody,
        response: { ...answers(201, RuleShape), 200: DryRunShape },
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      const { dryRun = false, days } = request.query;
      if (dryRun) return reply.code(200).send(await tryRule(caller, request.body, days ?? daysDefault));
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
        operationId: 'deleteRule',
        summary: 'Delete a rule',
        description: 'Messages that are sent from here on are not checked against it.',
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

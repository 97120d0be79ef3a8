/** Proving again who one is, before a sensitive change. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly } from '../../http/input/schemas.ts';
import { Password } from '../sessions/login-schemas.ts';
import { CeremonyShape, Code, PasskeyAnswerShape, toCeremonyAnswer, toProof } from './passkey-schemas.ts';
import type { Passkeys } from './passkeys.ts';
import type { StepUp } from './step-up.ts';

export interface StepUpRouteOptions {
  readonly stepUp: StepUp;
  readonly passkeys: Passkeys;
  readonly authenticator: Authenticator;
  /** Per address. */
  readonly loginLimit: { readonly max: number; readonly timeWindow: number };
}

const tags = ['login'];

export const stepUpRoutes: FastifyPluginAsyncTypebox<StepUpRouteOptions> = async (
  app,
  { stepUp, passkeys, authenticator, loginLimit },
) => {
  app.post(
    '/auth/step-up/options',
    {
      schema: {
        tags,
        operationId: 'startPasskeyStepUp',
        summary: 'Begin a step-up with a passkey',
        description: 'The options for `navigator.credentials.get`.',
        response: answers(200, CeremonyShape),
      },
    },
    async (request) => {
      const { userId } = await authenticator.fromRequest(request);
      return toCeremonyAnswer(await passkeys.beginProof('step_up', userId));
    },
  );

  app.post(
    '/auth/step-up',
    {
      config: { rateLimit: loginLimit },
      schema: {
        tags,
        operationId: 'stepUp',
        summary: 'Prove again who I am, to be allowed sensitive changes for a while',
        description: 'With a code or a passkey if the account has second factors, with the password if it has none.',
        body: exactly({
          password: Type.Optional(Password),
          code: Type.Optional(Code),
          passkey: Type.Optional(PasskeyAnswerShape),
        }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const caller = await authenticator.fromRequest(request);
      await stepUp.stepUp(caller, toProof(request.body));
      return reply.code(204).send(null);
    },
  );
};

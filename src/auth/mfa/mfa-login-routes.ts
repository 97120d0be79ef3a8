/** The second step of a login, and logging in with a passkey alone. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { answers, exactly } from '../../http/input/schemas.ts';
import { LoginHeaders, LoginShape, Secret } from '../sessions/login-schemas.ts';
import type { SessionCookies } from '../sessions/session-cookies.ts';
import type { SessionOpener } from '../sessions/session-opener.ts';
import type { MfaChallenge } from './mfa-challenge.ts';
import {
  CeremonyShape,
  Code,
  PasskeyAnswerShape,
  toCeremonyAnswer,
  toPasskeyAnswer,
  toProof,
} from './passkey-schemas.ts';
import type { Passkeys } from './passkeys.ts';

export interface MfaLoginRouteOptions {
  readonly mfaChallenge: MfaChallenge;
  readonly passkeys: Passkeys;
  readonly opener: SessionOpener;
  readonly cookies: SessionCookies;
  /** Per address. */
  readonly loginLimit: { readonly max: number; readonly timeWindow: number };
}

const tags = ['login'];

export const mfaLoginRoutes: FastifyPluginAsyncTypebox<MfaLoginRouteOptions> = async (
  app,
  { mfaChallenge, passkeys, opener, cookies, loginLimit },
) => {
  const config = { rateLimit: loginLimit };

  app.post(
    '/auth/second-factor/options',
    {
      config,
      schema: {
        tags,
        operationId: 'startPasskeySecondStep',
        summary: 'Begin the second step of a login with a passkey',
        description: 'The options for `navigator.credentials.get`, for the ticket of a login that needs a second step.',
        security: [],
        body: exactly({ challenge: Secret }),
        response: answers(200, CeremonyShape),
      },
    },
    async (request) => toCeremonyAnswer(await mfaChallenge.beginByPasskey(request.body.challenge)),
  );

  app.post(
    '/auth/second-factor',
    {
      config,
      schema: {
        tags,
        operationId: 'finishSecondStep',
        summary: 'Finish the second step of a login with a code or a passkey',
        description: 'The ticket comes from the login. A recovery code is good once.',
        security: [],
        headers: LoginHeaders,
        body: exactly({ challenge: Secret, code: Type.Optional(Code), passkey: Type.Optional(PasskeyAnswerShape) }),
        response: answers(200, LoginShape),
      },
    },
    async (request, reply) => {
      const { challenge, ...proof } = request.body;
      const device = cookies.deviceOf(request, reply);
      const account = await mfaChallenge.finish(challenge, toProof(proof), device);
      return cookies.answer(request, reply, await opener.open(account, device));
    },
  );

  app.post(
    '/auth/passkey/options',
    {
      config,
      schema: {
        tags,
        operationId: 'startPasskeyLogin',
        summary: 'Begin a login with a passkey alone',
        description: 'The options for `navigator.credentials.get`. No username is needed.',
        security: [],
        response: answers(200, CeremonyShape),
      },
    },
    async () => toCeremonyAnswer(await passkeys.beginProof('login')),
  );

  app.post(
    '/auth/passkey',
    {
      config,
      schema: {
        tags,
        operationId: 'finishPasskeyLogin',
        summary: 'Log in with a passkey alone',
        description: 'The device verifies its owner (PIN, finger, face), so no second step follows.',
        security: [],
        headers: LoginHeaders,
        body: PasskeyAnswerShape,
        response: answers(200, LoginShape),
      },
    },
    async (request, reply) => {
      const device = cookies.deviceOf(request, reply);
      const account = await passkeys.finishProof('login', toPasskeyAnswer(request.body));
      return cookies.answer(request, reply, await opener.open(account, device));
    },
  );
};

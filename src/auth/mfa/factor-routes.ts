/** One's own second factors. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { RegistrationResponseJSON } from '@simplewebauthn/server';
import { Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly, Nullable, named, Time } from '../../http/input/schemas.ts';
import { needsFreshLogin, Secret } from '../sessions/login-schemas.ts';
import type { MfaService } from './mfa-service.ts';
import { CeremonyShape, Code, CredentialId, CredentialJson, toCeremonyAnswer } from './passkey-schemas.ts';

export interface FactorRouteOptions {
  readonly factors: MfaService;
  readonly authenticator: Authenticator;
  /** Per address. */
  readonly loginLimit: { readonly max: number; readonly timeWindow: number };
}

const Methods = Type.Array(Type.Union([Type.Literal('totp'), Type.Literal('passkey'), Type.Literal('recovery_code')]));
const FactorShape = named(
  'Factor',
  Type.Object({
    id: Type.String(),
    kind: Type.Union([Type.Literal('totp'), Type.Literal('passkey')]),
    name: Type.String(),
    createdAt: Time,
    lastUsedAt: Nullable(Time),
  }),
);
const RecoveryCodes = Type.Array(Type.String(), { description: 'Each works once. They are never shown again' });
const FactorName = Type.String({ minLength: 1, maxLength: 400 });
const FactorParams = exactly({ factorId: CredentialId });
const description = needsFreshLogin;
const tags = ['second factors'];

export const factorRoutes: FastifyPluginAsyncTypebox<FactorRouteOptions> = async (
  app,
  { factors, authenticator, loginLimit },
) => {
  app.get(
    '/users/me/second-factors',
    {
      schema: {
        tags,
        operationId: 'listMyFactors',
        summary: 'List my second factors',
        description: 'Authenticator apps, passkeys, and how many recovery codes are left.',
        response: answers(
          200,
          Type.Object({
            items: Type.Array(FactorShape),
            nextCursor: Type.Null(),
            methods: Methods,
            recoveryCodesLeft: Type.Integer(),
          }),
        ),
      },
    },
    async (request) => {
      const { methods, overview } = await factors.overview(await authenticator.fromRequest(request));
      return {
        items: [...overview.factors],
        nextCursor: null,
        methods: [...methods],
        recoveryCodesLeft: overview.recoveryCodesLeft,
      };
    },
  );

  app.patch(
    '/users/me/second-factors/:factorId',
    {
      schema: {
        tags,
        operationId: 'renameFactor',
        summary: 'Rename a second factor',
        description: 'The name is shown in the list alone.',
        params: FactorParams,
        body: exactly({ name: FactorName }),
        response: answers(200, FactorShape),
      },
    },
    async (request) => {
      const caller = await authenticator.fromRequest(request);
      return factors.rename(caller, request.params.factorId, request.body.name);
    },
  );

  app.delete(
    '/users/me/second-factors/:factorId',
    {
      schema: {
        tags,
        operationId: 'removeFactor',
        summary: 'Remove a second factor',
        description: `Removing the last one deletes the recovery codes. The last login method cannot be removed. ${needsFreshLogin}`,
        params: FactorParams,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await factors.remove(await authenticator.fromRequest(request), request.params.factorId);
      return reply.code(204).send(null);
    },
  );

  await app.register(newFactorRoutes, { factors, authenticator, loginLimit });
};

const newFactorRoutes: FastifyPluginAsyncTypebox<FactorRouteOptions> = async (
  app,
  { factors, authenticator, loginLimit },
) => {
  const config = { rateLimit: loginLimit };

  app.post(
    '/users/me/second-factors/totp',
    {
      config,
      schema: {
        tags,
        operationId: 'startAuthenticatorSetup',
        summary: 'Begin the setup of an authenticator app',
        description,
        response: answers(
          201,
          Type.Object({
            secret: Type.String({ description: 'Base32, for typing' }),
            uri: Type.String({ description: 'otpauth://…, for a QR code' }),
          }),
        ),
      },
    },
    async (request, reply) => reply.code(201).send(await factors.beginTotp(await authenticator.fromRequest(request))),
  );

  app.post(
    '/users/me/second-factors/totp/confirm',
    {
      config,
      schema: {
        tags,
        operationId: 'finishAuthenticatorSetup',
        summary: 'Finish the setup of an authenticator app with a first code',
        description: 'Switches the second step on. The answer holds recovery codes when it is the first factor.',
        body: exactly({ code: Code }),
        response: answers(200, Type.Object({ recoveryCodes: Nullable(RecoveryCodes) })),
      },
    },
    async (request) => {
      const codes = await factors.confirmTotp(await authenticator.fromRequest(request), request.body.code);
      return { recoveryCodes: codes ? [...codes] : null };
    },
  );

  app.post(
    '/users/me/second-factors/passkeys/options',
    {
      config,
      schema: {
        tags,
        operationId: 'startAddingPasskey',
        summary: 'Begin adding a passkey',
        description,
        response: answers(200, CeremonyShape),
      },
    },
    async (request) => toCeremonyAnswer(await factors.beginPasskey(await authenticator.fromRequest(request))),
  );

  app.post(
    '/users/me/second-factors/passkeys',
    {
      config,
      schema: {
        tags,
        operationId: 'finishAddingPasskey',
        summary: 'Finish adding a passkey',
        description: 'What the browser answered to the options.',
        body: exactly({ ceremony: Secret, response: CredentialJson, name: Type.Optional(FactorName) }),
        response: answers(201, Type.Object({ id: Type.String(), recoveryCodes: Nullable(RecoveryCodes) })),
      },
    },
    async (request, reply) => {
      const { ceremony, name = 'Passkey' } = request.body;
      const { id, recoveryCodes } = await factors.keepPasskey(await authenticator.fromRequest(request), {
        ceremony,
        name,
        response: request.body.response as unknown as RegistrationResponseJSON,
      });
      return reply.code(201).send({ id, recoveryCodes: recoveryCodes ? [...recoveryCodes] : null });
    },
  );

  app.post(
    '/users/me/second-factors/recovery-codes',
    {
      config,
      schema: {
        tags,
        operationId: 'replaceRecoveryCodes',
        summary: 'Replace my recovery codes',
        description,
        response: answers(200, Type.Object({ recoveryCodes: RecoveryCodes })),
      },
    },
    async (request) => ({
      recoveryCodes: [...(await factors.renewRecoveryCodes(await authenticator.fromRequest(request)))],
    }),
  );
};

/** The second step of a login, logging in by passkey, and one's own second factors. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import { type Static, Type } from 'typebox';
import type { Authenticator } from '../../http/caller/caller.ts';
import { answers, exactly, Nullable, Time } from '../../http/input/schemas.ts';
import type { LoginService } from '../login/login-service.ts';
import { LoginHeaders, LoginShape, Password, Secret } from '../sessions/login-schemas.ts';
import type { SessionCookies } from '../sessions/session-cookies.ts';
import type { MfaChallenge, PasskeyAnswer, Proof } from './mfa-challenge.ts';
import type { MfaService } from './mfa-service.ts';
import type { Ceremony, Passkeys } from './passkeys.ts';

export interface MfaRouteOptions {
  readonly auth: LoginService;
  readonly authenticator: Authenticator;
  readonly cookies: SessionCookies;
  readonly factors: MfaService;
  readonly passkeys: Passkeys;
  readonly mfaChallenge: MfaChallenge;
  /** Per address. */
  readonly loginLimit: { readonly max: number; readonly timeWindow: number };
}

const Code = Type.String({ minLength: 6, maxLength: 64, description: 'Of the authenticator app, or a recovery code' });
/** Base64url, at most 1,023 bytes (Web Authentication §4). */
const CredentialId = Type.String({ pattern: '^[A-Za-z0-9_-]+$', maxLength: 1364 });
/** What `navigator.credentials` answered, in the JSON form of Web Authentication Level 3; its own check is stricter. */
const CredentialJson = Type.Object(
  {
    id: CredentialId,
    rawId: CredentialId,
    type: Type.Literal('public-key'),
    response: Type.Object({}, { additionalProperties: true }),
  },
  { additionalProperties: true },
);
const PasskeyAnswerShape = exactly({ ceremony: Secret, response: CredentialJson });
const CeremonyShape = Type.Object({
  ceremony: Type.String({ description: 'To be brought back with the answer; good once, for five minutes' }),
  options: Type.Object({}, { additionalProperties: true, description: 'For navigator.credentials, in its JSON form' }),
});
const Methods = Type.Array(Type.Union([Type.Literal('totp'), Type.Literal('passkey'), Type.Literal('recovery_code')]));
const FactorShape = Type.Object({
  id: Type.String(),
  kind: Type.Union([Type.Literal('totp'), Type.Literal('passkey')]),
  name: Type.String(),
  createdAt: Time,
  lastUsedAt: Nullable(Time),
});
const RecoveryCodes = Type.Array(Type.String(), { description: 'Each good once; shown now and never again' });
const FactorName = Type.String({ minLength: 1, maxLength: 400 });
const FactorParams = exactly({ factorId: CredentialId });
const fresh = 'Needs a login, or a step up, that is fresh; otherwise `step_up_required`.';

export const mfaRoutes: FastifyPluginAsyncTypebox<MfaRouteOptions> = async (app, options) => {
  const { auth, authenticator, cookies, factors, passkeys, mfaChallenge, loginLimit } = options;
  const config = { rateLimit: loginLimit };

  app.post(
    '/auth/second-factor/options',
    {
      config,
      schema: {
        tags: ['login'],
        summary: 'Begin the second step of a login by passkey',
        security: [],
        body: exactly({ challenge: Secret }),
        response: answers(200, CeremonyShape),
      },
    },
    async (request) => plain(await mfaChallenge.beginByPasskey(request.body.challenge)),
  );

  app.post(
    '/auth/second-factor',
    {
      config,
      schema: {
        tags: ['login'],
        summary: 'Take the second step of a login, by a code or a passkey',
        security: [],
        headers: LoginHeaders,
        body: exactly({ challenge: Secret, code: Type.Optional(Code), passkey: Type.Optional(PasskeyAnswerShape) }),
        response: answers(200, LoginShape),
      },
    },
    async (request, reply) => {
      const { challenge, ...proof } = request.body;
      const device = cookies.deviceOf(request, reply);
      const account = await mfaChallenge.finish(challenge, proofOf(proof), device);
      return cookies.answer(request, reply, await auth.finishLogin(account, device));
    },
  );

  app.post(
    '/auth/passkey/options',
    {
      config,
      schema: {
        tags: ['login'],
        summary: 'Begin a login by passkey alone',
        security: [],
        response: answers(200, CeremonyShape),
      },
    },
    async () => plain(await passkeys.beginProof('login')),
  );

  app.post(
    '/auth/passkey',
    {
      config,
      schema: {
        tags: ['login'],
        summary: 'Log in by passkey alone',
        description: 'The device has asked for its owner (PIN, finger, face), so this is both steps in one.',
        security: [],
        headers: LoginHeaders,
        body: PasskeyAnswerShape,
        response: answers(200, LoginShape),
      },
    },
    async (request, reply) => {
      const device = cookies.deviceOf(request, reply);
      const account = await passkeys.finishProof('login', passkeyAnswer(request.body));
      return cookies.answer(request, reply, await auth.finishLogin(account, device));
    },
  );

  app.post(
    '/auth/step-up/options',
    {
      schema: { tags: ['login'], summary: 'Begin a step up by passkey', response: answers(200, CeremonyShape) },
    },
    async (request) => {
      const { userId } = await authenticator.fromRequest(request);
      return plain(await passkeys.beginProof('step_up', userId));
    },
  );

  app.post(
    '/auth/step-up',
    {
      config,
      schema: {
        tags: ['login'],
        summary: 'Prove again who I am: this login is fresh then, for grave changes',
        description: 'By a code or a passkey where the account has second factors, by the password where it has none.',
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
      await mfaChallenge.stepUp(caller, proofOf(request.body));
      return reply.code(204).send(null);
    },
  );

  const tags = ['second factors'];

  app.get(
    '/users/me/second-factors',
    {
      schema: {
        tags,
        summary: 'What my login asks for beside the password',
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

  app.post(
    '/users/me/second-factors/totp',
    {
      config,
      schema: {
        tags,
        summary: 'Begin one-time passwords: the secret for an authenticator app',
        description: fresh,
        response: answers(
          201,
          Type.Object({
            secret: Type.String({ description: 'Base 32, for typing' }),
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
        summary: 'Turn one-time passwords on by a first code',
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
      schema: { tags, summary: 'Begin a new passkey', description: fresh, response: answers(200, CeremonyShape) },
    },
    async (request) => plain(await factors.beginPasskey(await authenticator.fromRequest(request))),
  );

  app.post(
    '/users/me/second-factors/passkeys',
    {
      config,
      schema: {
        tags,
        summary: 'Keep the new passkey',
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
        summary: 'New recovery codes in place of the old ones',
        description: fresh,
        response: answers(200, Type.Object({ recoveryCodes: RecoveryCodes })),
      },
    },
    async (request) => ({
      recoveryCodes: [...(await factors.renewRecoveryCodes(await authenticator.fromRequest(request)))],
    }),
  );

  app.patch(
    '/users/me/second-factors/:factorId',
    {
      schema: {
        tags,
        summary: 'Call a second factor otherwise',
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
        summary: 'Take a second factor away; with the last one the recovery codes go, and the last way to log in stays',
        description: fresh,
        params: FactorParams,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await factors.remove(await authenticator.fromRequest(request), request.params.factorId);
      return reply.code(204).send(null);
    },
  );
};

function passkeyAnswer({ ceremony, response }: Static<typeof PasskeyAnswerShape>): PasskeyAnswer {
  return { ceremony, response: response as unknown as AuthenticationResponseJSON };
}

function proofOf({
  passkey,
  ...proof
}: {
  password?: string;
  code?: string;
  passkey?: Static<typeof PasskeyAnswerShape>;
}): Proof {
  return { ...proof, ...(passkey === undefined ? {} : { passkey: passkeyAnswer(passkey) }) };
}

/** The library's type of the options, as the schema of the answer has it. */
function plain({ ceremony, options }: Ceremony<unknown>): { ceremony: string; options: Record<string, unknown> } {
  return { ceremony, options: options as Record<string, unknown> };
}

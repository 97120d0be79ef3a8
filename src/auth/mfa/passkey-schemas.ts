/** The wire forms of passkey ceremonies, for every route that begins or finishes one. */
import type { AuthenticationResponseJSON } from '@simplewebauthn/server';
import { type Static, Type } from 'typebox';
import { exactly, named } from '../../http/input/schemas.ts';
import { Secret } from '../sessions/login-schemas.ts';
import type { PasskeyAnswer, Proof } from './factor-proofs.ts';
import type { Ceremony } from './passkeys.ts';

export const Code = Type.String({
  minLength: 6,
  maxLength: 64,
  description: 'From the authenticator app, or a recovery code',
});
/** Base64url, at most 1,023 bytes (Web Authentication §4). */
export const CredentialId = Type.String({ pattern: '^[A-Za-z0-9_-]+$', maxLength: 1364 });
/** The answer of `navigator.credentials` in the JSON form of Web Authentication Level 3. The library checks it strictly. */
export const CredentialJson = Type.Object(
  {
    id: CredentialId,
    rawId: CredentialId,
    type: Type.Literal('public-key'),
    response: Type.Object({}, { additionalProperties: true }),
  },
  { additionalProperties: true },
);
export const PasskeyAnswerShape = exactly({ ceremony: Secret, response: CredentialJson });
export const CeremonyShape = named(
  'PasskeyCeremony',
  Type.Object({
    ceremony: Type.String({ description: 'Send it back with the answer. Works once, within five minutes' }),
    options: Type.Object(
      {},
      { additionalProperties: true, description: 'For navigator.credentials, in its JSON form' },
    ),
  }),
);

export function toPasskeyAnswer({ ceremony, response }: Static<typeof PasskeyAnswerShape>): PasskeyAnswer {
  return { ceremony, response: response as unknown as AuthenticationResponseJSON };
}

export function toProof({
  passkey,
  ...proof
}: {
  password?: string;
  code?: string;
  passkey?: Static<typeof PasskeyAnswerShape>;
}): Proof {
  return { ...proof, ...(passkey === undefined ? {} : { passkey: toPasskeyAnswer(passkey) }) };
}

/** Types the library's options as the answer's schema does. */
export function toCeremonyAnswer({ ceremony, options }: Ceremony<unknown>): Static<typeof CeremonyShape> {
  return { ceremony, options: options as Record<string, unknown> };
}

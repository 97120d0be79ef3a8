/**
 * Who an OpenID provider says that somebody is: the id token proves it (OpenID Connect Core §3.1.3.7), the userinfo endpoint adds to
 * the profile (§5.3).
 */
import { errors, type JWTPayload, type JWTVerifyOptions } from 'jose';
import type { ProviderSettings } from '../../config/identity-settings.ts';
import { Failure } from '../../errors.ts';
import { hasPlainTimes } from '../credentials/numeric-date.ts';
import { BadAnswer, fetchDocument } from './fetch-json.ts';
import { type AddressClaims, addressOf, nameOf, textOf, type VerifiedIdentity } from './identity-claims.ts';
import { type JwksCache, verifyByKeys } from './jwks-cache.ts';
import { type Endpoints, issuerForToken } from './provider-endpoints.ts';

type Claims = Readonly<Record<string, unknown>>;

/** Signatures that a token may have: never a shared secret, never none. */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const clockToleranceSeconds = 30;
/** OpenID Connect Core §2: at most 255 characters. */
const subjectMax = 255;

export interface ProofOptions {
  readonly provider: ProviderSettings;
  readonly endpoints: Endpoints;
  readonly keys: JwksCache;
  readonly timeoutMs: number;
}

/**
 * @param token what the token endpoint answered
 * @throws Failure `invalid` for an id token that proves nothing, `forbidden` for a person that `require` leaves out, `unavailable`
 */
export async function proveByIdToken(
  token: Claims,
  nonce: string,
  { provider, endpoints, keys, timeoutMs }: ProofOptions,
): Promise<VerifiedIdentity> {
  const payload = await checkIdToken(token.id_token, nonce, { provider, endpoints, keys });
  const subject = subjectOf(payload.sub);
  if (subject === undefined) throw new Failure('invalid', 'the id token names nobody: its sub is no text');
  const profile =
    endpoints.userUrl === undefined
      ? {}
      : await readProfile(endpoints.userUrl, String(token.access_token), {
          provider,
          keys,
          timeoutMs,
          issuer: payload.iss!,
        });
  // The same subject has to be in both (§5.3.2).
  const shown: Claims = subjectOf(profile.sub) === subject ? profile : {};
  requireAllowed({ ...shown, ...payload }, provider);
  const claims: Claims = { ...payload, ...shown };
  return {
    issuer: payload.iss!,
    subject,
    name: nameOf(claims.name) ?? joinedName(claims.given_name, claims.family_name) ?? nameOf(claims.nickname),
    username: nameOf(claims.preferred_username),
    picture: textOf(claims.picture),
    ...mergedAddress(withEmail(shown), withEmail(payload)),
  };
}

async function checkIdToken(
  idToken: unknown,
  nonce: string,
  { provider, endpoints, keys }: Omit<ProofOptions, 'timeoutMs'>,
): Promise<JWTPayload> {
  if (typeof idToken !== 'string') throw new Failure('invalid', 'the provider sent no id token');
  if (idToken.split('.').length === 5)
    throw new Failure('invalid', 'the id token is encrypted: switch that off at the provider');
  const payload = await verify(idToken, keys, {
    audience: provider.clientId,
    requiredClaims: ['iss', 'sub', 'exp', 'iat'],
  });
  if (payload.iss !== issuerForToken(endpoints, payload.tid))
    throw new Failure('invalid', `the id token is of another issuer: "${String(payload.iss).slice(0, 200)}"`);
  if (!hasPlainTimes(payload)) throw new Failure('invalid', 'the id token is not valid');
  // §3.1.3.7, 4 and 5.
  const audiences = [payload.aud ?? []].flat();
  if ((audiences.length > 1 || payload.azp !== undefined) && payload.azp !== provider.clientId)
    throw new Failure('invalid', 'the id token was made for another client');
  if (payload.nonce !== nonce) throw new Failure('invalid', 'the id token belongs to another login');
  return payload;
}

async function verify(token: string, keys: JwksCache, options: JWTVerifyOptions): Promise<JWTPayload> {
  try {
    return await verifyByKeys(token, keys, { ...options, algorithms, clockTolerance: clockToleranceSeconds });
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    if (cause instanceof errors.JOSEAlgNotAllowed)
      throw new Failure(
        'invalid',
        'the token is signed otherwise than with RS256, ES256 or their relatives: set one at the provider',
        { cause },
      );
    const reason = cause instanceof errors.JOSEError ? `: ${cause.message}` : '';
    throw new Failure('invalid', `the id token is not valid${reason}`, { cause });
  }
}

/**
 * The profile, as JSON or as a signed token (§5.3.2). A provider that refuses to give one has proved who this is all the same; one
 * that is away is asked again with the next try, since what it says is taken over once.
 */
async function readProfile(
  url: string,
  accessToken: string,
  { provider, keys, timeoutMs, issuer }: Omit<ProofOptions, 'endpoints'> & { issuer: string },
): Promise<Claims> {
  try {
    const headers = { authorization: `Bearer ${accessToken}`, accept: 'application/json, application/jwt;q=0.9' };
    const { type, text } = await fetchDocument(url, { timeoutMs, headers });
    if (type === 'application/jwt') return await verify(text.trim(), keys, { issuer, audience: provider.clientId });
    const profile: unknown = JSON.parse(text);
    return typeof profile === 'object' && profile !== null ? (profile as Claims) : {};
  } catch (error) {
    const refused = error instanceof BadAnswer || error instanceof SyntaxError;
    if (refused || (error instanceof Failure && error.code === 'invalid')) return {};
    throw error;
  }
}

/** A text; of the numbers that some providers give, those that JSON has not rounded. */
function subjectOf(sub: unknown): string | undefined {
  if (Number.isSafeInteger(sub)) return String(sub);
  const text = textOf(sub, subjectMax);
  return text?.trim() === '' ? undefined : text;
}

/** @throws Failure `forbidden` unless every claim of `require` has one of its values */
function requireAllowed(claims: Claims, { require = {} }: ProviderSettings): void {
  for (const [claim, allowed] of Object.entries(require)) {
    const values = [claims[claim]].flat().map((value) => (typeof value === 'object' ? '' : String(value)));
    if (!values.some((value) => allowed.includes(value)))
      throw new Failure('forbidden', `this account may not log in here: its ${claim} is none that is required`);
  }
}

function joinedName(given: unknown, family: unknown): string | undefined {
  const parts = [nameOf(given), nameOf(family)].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : nameOf(parts.join(' '));
}

/** Azure AD B2C lists the addresses of a person. */
function withEmail(claims: Claims): Claims {
  return claims.email === undefined && Array.isArray(claims.emails) ? { ...claims, email: claims.emails[0] } : claims;
}

/** One source's address and its word on it: a yes that the other one gives for another address does not count. */
function mergedAddress(profile: Claims, idToken: Claims): AddressClaims {
  const [shown, signed] = [addressOf(profile), addressOf(idToken)];
  if (shown.email === undefined) return signed;
  const isSame = shown.email.toLowerCase() === signed.email?.toLowerCase();
  const isSilent = profile.email_verified === undefined && profile.xms_edov === undefined;
  return isSame && isSilent ? { ...shown, emailVerified: signed.emailVerified } : shown;
}

/** Apple posts the name beside the code, once, when somebody first logs in; it is as true as what people type. */
export function postedName(user: string | undefined): string | undefined {
  if (user === undefined) return undefined;
  try {
    const { name } = JSON.parse(user) as { name?: { firstName?: unknown; lastName?: unknown } };
    return joinedName(name?.firstName, name?.lastName);
  } catch {
    return undefined;
  }
}

/**
 * Verifies the identity from an OpenID provider: the id token proves it (OpenID Connect Core §3.1.3.7), the userinfo
 * endpoint adds to the profile (§5.3).
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

/** Accepted signature algorithms: none with a shared secret, and never `none`. */
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
 * @param token the answer of the token endpoint
 * @throws Failure `invalid` for an id token that does not verify, `forbidden` for a person that `require` excludes, `unavailable`
 */
export async function proveByIdToken(
  token: Claims,
  nonce: string,
  { provider, endpoints, keys, timeoutMs }: ProofOptions,
): Promise<VerifiedIdentity> {
  const payload = await checkIdToken(token.id_token, nonce, { provider, endpoints, keys });
  const subject = subjectOf(payload.sub);
  if (subject === undefined) throw new Failure('invalid', 'the id token identifies nobody: its sub is not a text');
  const profile =
    endpoints.userUrl === undefined
      ? {}
      : await readProfile(endpoints.userUrl, String(token.access_token), {
          provider,
          keys,
          timeoutMs,
          issuer: payload.iss!,
        });
  // The userinfo counts only with the same subject (§5.3.2).
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
  // §3.1.3.7, steps 4 and 5.
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
        'the signature algorithm of the token is not supported: set RS256 or ES256 at the provider',
        { cause },
      );
    const reason = cause instanceof errors.JOSEError ? `: ${cause.message}` : '';
    throw new Failure('invalid', `the id token is not valid${reason}`, { cause });
  }
}

/**
 * Reads the profile, as JSON or as a signed token (§5.3.2). If the provider refuses, the login goes on without a profile:
 * the id token is enough. If the provider does not answer, the login fails, because the profile is only taken over at the
 * first login.
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

/** A text, or one of the numbers that some providers send, if JSON did not round it. */
function subjectOf(sub: unknown): string | undefined {
  if (Number.isSafeInteger(sub)) return String(sub);
  const text = textOf(sub, subjectMax);
  return text?.trim() === '' ? undefined : text;
}

/** @throws Failure `forbidden` unless every claim in `require` has one of the listed values */
function requireAllowed(claims: Claims, { require = {} }: ProviderSettings): void {
  for (const [claim, allowed] of Object.entries(require)) {
    const values = [claims[claim]].flat().map((value) => (typeof value === 'object' ? '' : String(value)));
    if (!values.some((value) => allowed.includes(value)))
      throw new Failure('forbidden', `this account may not log in here: its ${claim} is not allowed`);
  }
}

function joinedName(given: unknown, family: unknown): string | undefined {
  const parts = [nameOf(given), nameOf(family)].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : nameOf(parts.join(' '));
}

/** Azure AD B2C sends a list of addresses. */
function withEmail(claims: Claims): Claims {
  return claims.email === undefined && Array.isArray(claims.emails) ? { ...claims, email: claims.emails[0] } : claims;
}

/** Takes address and verification from one source: that the id token verifies one address says nothing of another. */
function mergedAddress(profile: Claims, idToken: Claims): AddressClaims {
  const [shown, signed] = [addressOf(profile), addressOf(idToken)];
  if (shown.email === undefined) return signed;
  const isSame = shown.email.toLowerCase() === signed.email?.toLowerCase();
  const isSilent = profile.email_verified === undefined && profile.xms_edov === undefined;
  return isSame && isSilent ? { ...shown, emailVerified: signed.emailVerified } : shown;
}

/** The name that Apple posts beside the code at a user's first login. It is not verified. */
export function postedName(user: string | undefined): string | undefined {
  if (user === undefined) return undefined;
  try {
    const { name } = JSON.parse(user) as { name?: { firstName?: unknown; lastName?: unknown } };
    return joinedName(name?.firstName, name?.lastName);
  } catch {
    return undefined;
  }
}

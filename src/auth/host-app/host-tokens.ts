/**
 * Tokens of host applications (`auth.issuers`): JWTs that identify one of their users. The configuration alone decides the
 * issuer's keys, their address and the algorithms. A token whose header names or brings a key is refused.
 */
import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import type { HostIssuerSettings } from '../../config/identity-settings.ts';
import { Failure } from '../../errors.ts';
import { hasPlainTimes, toMs } from '../credentials/numeric-date.ts';
import { addressOf, nameOf, textOf } from '../oauth/identity-claims.ts';
import { type JwksCache, verifyByKeys } from '../oauth/jwks-cache.ts';

/** The claims of a host application about one of its users. */
export interface HostClaims {
  readonly issuer: string;
  readonly subject: string;
  /** Milliseconds since the epoch; 0 if the token does not say. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly name: string | undefined;
  readonly picture: string | undefined;
  readonly email: string | undefined;
  readonly emailVerified: boolean;
  /** Undefined if the configuration takes no roles from this issuer. */
  readonly role: 'user' | 'moderator' | 'admin' | undefined;
  /** Rooms to join, if the configuration takes rooms from this issuer. */
  readonly rooms: readonly string[];
}

export interface HostTokens {
  /** Whether the token names one of the configured issuers. It is not verified by that. */
  readonly concerns: (token: string) => boolean;
  /** @throws Failure `unauthenticated`, `token_expired`, or `unavailable` while the issuer's keys cannot be read */
  readonly verify: (token: string) => Promise<HostClaims>;
}

const secretAlgorithms = ['HS256'];
const keyAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const types = new Set(['jwt', 'at+jwt', 'application/at+jwt']);
/** Header parameters that bring or name a key, or that the verifier does not support (RFC 7515 §4.1, RFC 7797). */
const refusedHeaders = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip'];
const tokenMax = 8192;
const subjectMax = 255;
const roomsMax = 100;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

interface Issuer {
  readonly settings: HostIssuerSettings;
  readonly key: Uint8Array | JwksCache;
  readonly algorithms: string[];
}

const notValid = (cause?: unknown) => new Failure('unauthenticated', 'the access token is not valid', { cause });

export function createHostTokens({
  issuers,
  keysOf,
  leewayMs,
}: {
  issuers: readonly HostIssuerSettings[];
  /** The key set at an issuer's `jwksUrl`. */
  keysOf: (settings: HostIssuerSettings & { jwksUrl: string }) => JwksCache;
  /** Tolerance for `nbf` and `iat`. `exp` has none. */
  leewayMs: number;
}): HostTokens {
  /** An issuer can be configured for several audiences. */
  const byIssuer = Map.groupBy(issuers.map(toIssuer), ({ settings }) => settings.issuer);

  function toIssuer(settings: HostIssuerSettings): Issuer {
    const { secret, jwksUrl, algorithms } = settings;
    const names = [...(algorithms ?? (secret === undefined ? keyAlgorithms : secretAlgorithms))];
    if (names.includes('EdDSA')) names.push('Ed25519'); // RFC 9864: its new name
    return {
      settings,
      key: secret === undefined ? keysOf({ ...settings, jwksUrl: jwksUrl! }) : new TextEncoder().encode(secret),
      algorithms: names,
    };
  }

  function issuersOf(token: string): readonly Issuer[] {
    try {
      return byIssuer.get(decodeJwt(token).iss ?? '') ?? [];
    } catch {
      return [];
    }
  }

  async function verify(token: string): Promise<HostClaims> {
    requirePlainHeader(token);
    const candidates = issuersOf(token);
    const said = decodeJwt(token);
    if (!hasPlainTimes(said)) throw notValid();
    const audiences = [said.aud ?? []].flat();
    const issuer = candidates.find(({ settings }) => audiences.includes(settings.audience));
    if (!issuer) throw notValid();
    return toClaims(await check(token, issuer), issuer.settings);
  }

  async function check(token: string, { settings, key, algorithms }: Issuer): Promise<JWTPayload> {
    try {
      const options = {
        issuer: settings.issuer,
        audience: settings.audience,
        algorithms,
        requiredClaims: ['sub', 'exp'],
        clockTolerance: leewayMs / 1000,
      };
      const payload =
        key instanceof Uint8Array
          ? (await jwtVerify(token, key, options)).payload
          : await verifyByKeys(token, key, options);
      if (payload.iat !== undefined && toMs(payload.iat) > Date.now() + leewayMs) throw notValid();
      if (toMs(payload.exp!) <= Date.now()) throw new Failure('token_expired', 'the access token has expired');
      return payload;
    } catch (cause) {
      if (cause instanceof Failure) throw cause;
      if (cause instanceof errors.JWTExpired)
        throw new Failure('token_expired', 'the access token has expired', { cause });
      throw notValid(cause);
    }
  }

  return { concerns: (token) => byIssuer.size > 0 && token.length <= tokenMax && issuersOf(token).length > 0, verify };
}

function requirePlainHeader(token: string): void {
  let header: unknown;
  try {
    header = JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString('utf8'));
  } catch {
    throw notValid();
  }
  if (typeof header !== 'object' || header === null) throw notValid();
  if (refusedHeaders.some((name) => Object.hasOwn(header, name))) throw notValid();
  const { typ = 'JWT' } = header as { typ?: unknown };
  if (typeof typ !== 'string' || !types.has(typ.toLowerCase())) throw notValid();
}

/** Maps claims by the configured names. A claim of the wrong type counts as absent; without a usable subject the token is refused. */
function toClaims(payload: JWTPayload, { issuer, claims: names = {} }: HostIssuerSettings): HostClaims {
  const { sub, iat, exp } = payload;
  const subject = textOf(sub, subjectMax);
  if (subject === undefined) throw notValid();
  const claim = (field: string) => claimAt(payload, names[field] ?? field);
  return {
    issuer,
    subject,
    issuedAt: toMs(iat ?? 0),
    expiresAt: toMs(exp!),
    name: nameOf(claim('name')),
    picture: textOf(claim('picture')),
    ...addressOf({ email: claim('email'), email_verified: claim('email_verified') }),
    role: names.roles === undefined ? undefined : highestRole(claimAt(payload, names.roles)),
    rooms: names.rooms === undefined ? [] : roomsOf(claimAt(payload, names.rooms)),
  };
}

/** A claim by its name, or by a path with dots, as in `realm_access.roles`. */
function claimAt(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  let value: unknown = payload;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

function highestRole(value: unknown): 'user' | 'moderator' | 'admin' {
  const roles = [value].flat();
  return (['admin', 'moderator'] as const).find((role) => roles.includes(role)) ?? 'user';
}

function roomsOf(value: unknown): string[] {
  const ids = [value].flat().filter((id): id is string => typeof id === 'string' && uuid.test(id));
  return [...new Set(ids)].slice(0, roomsMax);
}

/**
 * Parley's own access tokens: JWTs (RFC 7519, RFC 9068) signed and verified by @fastify/jwt. A token's claims are trusted
 * for its short lifetime; the revocations (revocations.ts) know whether its session has ended.
 */
import fastifyJwt from '@fastify/jwt';
import { LRUCache } from 'lru-cache';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import type { App } from '../../http/server/app-type.ts';
import { hasPlainTimes, toMs } from './numeric-date.ts';
import type { SigningKey, SigningKeys } from './signing-keys.ts';

export const tokenIssuer = 'parley';
const audience = 'parley';
const type = 'at+jwt';

export interface AccessTokenSettings {
  readonly lifetimeMs: number;
  /** Tolerated difference between the clocks of instances. */
  readonly leewayMs: number;
  /** Verified tokens in the cache. */
  readonly cacheMax: number;
}

export interface TokenSubject {
  readonly userId: string;
  readonly sessionId: string;
  readonly role: Caller['role'];
  readonly kind: 'user' | 'guest';
}

export interface AccessTokens {
  readonly sign: (subject: TokenSubject) => { token: string; expiresInSeconds: number };
  /** @throws Failure `unauthenticated`, `token_expired` */
  readonly verify: (token: string) => Promise<Caller>;
  /** The caller of a token that is in the cache. @throws Failure `token_expired` */
  readonly remembered: (token: string) => Caller | undefined;
}

interface Claims {
  readonly iss: string;
  readonly sub: string;
  readonly sid: string;
  /** Seconds since the epoch. */
  readonly iat: number;
  readonly role: Caller['role'];
  readonly kind: 'user' | 'guest';
  /** Seconds since the epoch. */
  readonly exp: number;
}

export async function createAccessTokens({
  app,
  keys,
  settings,
}: {
  app: App;
  keys: SigningKeys;
  settings: AccessTokenSettings;
}): Promise<AccessTokens> {
  const ready = keys.current();
  const { algorithm, privateKey, publicKey } = ready;
  await app.register(fastifyJwt, {
    secret: algorithm === 'HS256' ? privateKey : { private: privateKey, public: publicKey },
    sign: { algorithm, iss: tokenIssuer, aud: audience },
    verify: {
      algorithms: [algorithm],
      allowedIss: tokenIssuer,
      allowedAud: audience,
      requiredClaims: ['iss', 'aud', 'sub', 'sid', 'exp', 'iat'],
      clockTolerance: settings.leewayMs,
      cache: false,
    },
    decode: { complete: true },
  });
  /** An entry is valid as long as the key that verified it is held and the token has not expired. */
  const verified = new LRUCache<string, { readonly caller: Caller; readonly keyId: string }>({
    max: settings.cacheMax,
  });

  function sign({ userId, sessionId, role, kind }: TokenSubject): { token: string; expiresInSeconds: number } {
    const key = keys.current();
    const expiresInSeconds = Math.max(1, Math.floor(settings.lifetimeMs / 1000));
    const token = app.jwt.sign(
      { sub: userId, sid: sessionId, role, kind },
      {
        key: key.privateKey,
        algorithm: key.algorithm,
        expiresIn: expiresInSeconds,
        header: { alg: key.algorithm, typ: type, ...(key.id ? { kid: key.id } : {}) },
      },
    );
    return { token, expiresInSeconds };
  }

  function remembered(token: string): Caller | undefined {
    const known = verified.get(token);
    if (!known) return undefined;
    if (keys.isHeld(known.keyId)) return requireUnexpired(known.caller);
    verified.delete(token);
    return undefined;
  }

  async function verify(token: string): Promise<Caller> {
    const known = remembered(token);
    if (known) return known;
    const key = await keys.find(keyIdOf(token));
    if (!key) throw new Failure('unauthenticated', 'the access token is not valid');
    const caller = check(token, key);
    verified.set(token, { caller, keyId: key.id });
    return requireUnexpired(caller);
  }

  function requireUnexpired(caller: Caller): Caller {
    if (caller.expiresAt <= Date.now()) throw new Failure('token_expired', 'the access token has expired');
    return caller;
  }

  function check(token: string, key: SigningKey): Caller {
    let claims: Claims;
    try {
      // The plugin has a verifier for the first key. Making one for another key costs more than the check itself.
      claims =
        key.publicKey === ready.publicKey
          ? app.jwt.verify<Claims>(token)
          : app.jwt.verify<Claims>(token, { key: key.publicKey, algorithms: [key.algorithm] });
      requireClaims(claims);
    } catch (cause) {
      if ((cause as { code?: string }).code === 'FAST_JWT_EXPIRED')
        throw new Failure('token_expired', 'the access token has expired', { cause });
      throw new Failure('unauthenticated', 'the access token is not valid', { cause });
    }
    const { sub: userId, sid: sessionId, role, kind, exp } = claims;
    return { userId, sessionId, role, kind, expiresAt: toMs(exp) };
  }

  /** Parley never signs such claims: a token with them, or from the future, means that somebody else has the key. */
  function requireClaims(claims: Claims): void {
    const { sub, sid, iss, role, kind, iat } = claims;
    const fits =
      iss === tokenIssuer &&
      hasPlainTimes({ ...claims }) &&
      [sub, sid].every((id) => typeof id === 'string' && uuid.test(id)) &&
      ['user', 'moderator', 'admin'].includes(role) &&
      ['user', 'guest'].includes(kind) &&
      iat * 1000 <= Date.now() + settings.leewayMs;
    if (!fits) throw new Error('claims that Parley never signs');
  }

  return { sign, verify, remembered };
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Header parameters that bring or name a key, or that the verifier does not support (RFC 7515 §4.1). */
const refusedHeaders = ['jwk', 'jku', 'x5u', 'x5c', 'x5t', 'crit'];

/** @returns the `kid`, or '' without one. @throws Failure `unauthenticated` for anything but a plain access token of Parley */
function keyIdOf(token: string): string {
  // Created only when needed: capturing a stack costs more than the check.
  const refusal = () => new Failure('unauthenticated', 'the access token is not valid');
  if (token.length > 8192) throw refusal();
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString('utf8')) as Record<
      string,
      unknown
    >;
  } catch {
    throw refusal();
  }
  if (typeof header !== 'object' || header === null || header.typ !== type) throw refusal();
  if (refusedHeaders.some((name) => Object.hasOwn(header, name))) throw refusal();
  const { kid = '' } = header;
  if (typeof kid !== 'string') throw refusal();
  return kid;
}

/** Who calls, as every route and frame may ask. The proof is auth's affair. */
import type { FastifyRequest } from 'fastify';
import type { DeploymentRole } from '../../permissions.ts';

/** What an API key may be for. A route says in its `config.scope` which one lets a key in; without it none does. */
export const apiScopes = [
  'users:read',
  'users:write',
  'users:erase',
  'sessions:write',
  'rooms:read',
  'rooms:write',
  'members:write',
  'messages:read',
] as const;
export type ApiScope = (typeof apiScopes)[number];

declare module 'fastify' {
  interface FastifyContextConfig {
    scope?: ApiScope;
  }
}

export interface Caller {
  readonly userId: string;
  /** The login on a device; absent where another server vouches for the user. */
  readonly sessionId: string | undefined;
  readonly role: DeploymentRole;
  /** `host`: a user whom another application vouches for; `server`: that application itself, with an API key. */
  readonly kind: 'user' | 'guest' | 'host' | 'server';
  /** When a host application's token was made, milliseconds since the epoch: what was ended later ends it too. */
  readonly issuedAt?: number;
  /** Milliseconds since the epoch: the end of what was proved. */
  readonly expiresAt: number;
}

/** Whether the connection that a request came by is there, as far as is known. */
export function isCallerThere({ raw: { socket } }: FastifyRequest): boolean {
  return !socket.destroyed && socket.writable;
}

export interface Authenticator {
  /** Whether the request shows a login, of whatever worth: a header, or cookies. */
  readonly hasLogin: (request: FastifyRequest) => boolean;
  /** Whether it shows one in its `Authorization` header, which the client put there on purpose. */
  readonly hasHeader: (request: FastifyRequest) => boolean;
  /**
   * Proves the caller by the `Authorization` header, or without one by a login in cookies, as of now: a login that ended
   * before this call is refused.
   * @throws Failure `unauthenticated`, `token_expired`, `banned`, `forbidden` for cookies from another site's page, or `unavailable` when that cannot be known
   */
  readonly fromRequest: (request: FastifyRequest) => Promise<Caller>;
  /**
   * The same while `read` is under way already, once the token was proved: it changes nothing, and what it found is nobody's when the
   * login has ended.
   */
  readonly readAs: <Found>(request: FastifyRequest, read: (caller: Caller) => Promise<Found>) => Promise<Found>;
  /** The same for a token from a socket. */
  readonly fromToken: (token: string) => Promise<Caller>;
}

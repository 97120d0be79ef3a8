/** The caller of a route or frame. The proof is in auth/. */
import type { FastifyRequest } from 'fastify';
import type { DeploymentRole } from '../../permissions.ts';

/** The scopes of API keys. The `config.scope` of a route names the one that it accepts; without it no key is accepted. */
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
  /** The session; undefined if another server vouches for the user. */
  readonly sessionId: string | undefined;
  readonly role: DeploymentRole;
  /** `host`: a user of a host application; `server`: a host application itself, with an API key. */
  readonly kind: 'user' | 'guest' | 'host' | 'server';
  /** When a host application's token was made, milliseconds since the epoch: what was ended later ends it too. */
  readonly issuedAt?: number;
  /** Milliseconds since the epoch: the end of what was proved. */
  readonly expiresAt: number;
}

/** Whether the connection of a request is still open, as far as is known. */
export function isCallerThere({ raw: { socket } }: FastifyRequest): boolean {
  return !socket.destroyed && socket.writable;
}

export interface Authenticator {
  /** Whether the request has a login, valid or not: a header, or cookies. */
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

/**
 * Sessions of browsers that keep their tokens in cookies, out of reach of scripts, and the cookie by which an account
 * recognises a trusted device.
 *
 * Browsers send cookies by themselves, also with requests that another site's page causes. So a cookie is accepted only
 * from a known page (page-origins.ts): changes and sockets need its `Origin`; reads need that Fetch Metadata shows no other
 * site. `SameSite=Strict` and the `__Host-` prefix (RFC 6265bis §4.1.3.2) are the first line of defence.
 */
import type { CookieSerializeOptions } from '@fastify/cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Failure } from '../../errors.ts';
import type { PageOrigins } from '../../http/caller/page-origins.ts';
import { plainAddress } from '../../http/server/forwarded-for.ts';
import { makeSecret } from '../credentials/random-secrets.ts';
import type { Login } from './session-opener.ts';
import type { Device } from './session-store.ts';

export interface SessionCookieSettings {
  readonly publicUrl: string;
  readonly origins: PageOrigins;
  readonly refreshLifetimeMs: number;
  readonly deviceLifetimeMs: number;
}

export interface SessionCookies {
  /** Returns the tokens, or sets them as cookies if the request says `Parley-Session: cookie`. @throws Failure `forbidden` */
  readonly answer: (
    request: FastifyRequest,
    reply: FastifyReply,
    login: Login,
  ) => Login | Omit<Login, 'accessToken' | 'refreshToken'>;
  /** Sets the tokens as cookies whatever the request says. */
  readonly keep: (
    request: FastifyRequest,
    reply: FastifyReply,
    login: Login,
  ) => Omit<Login, 'accessToken' | 'refreshToken'>;
  /** Whether the request has session cookies, valid or not. */
  readonly has: (request: FastifyRequest) => boolean;
  /** @throws Failure `forbidden` from an unknown page, `token_expired` if only the refresh token is left */
  readonly accessToken: (request: FastifyRequest) => string | undefined;
  /** @throws Failure `forbidden` from an unknown page */
  readonly refreshToken: (request: FastifyRequest) => string | undefined;
  /** Deletes the session cookies, if there are any. */
  readonly clear: (request: FastifyRequest, reply: FastifyReply) => void;
  /** The device that makes the request; one without a device cookie gets one. @throws Failure `forbidden` as `answer` */
  readonly deviceOf: (request: FastifyRequest, reply: FastifyReply) => Device;
}

const modeHeader = 'parley-session';
const secret = /^[A-Za-z0-9_-]{43}$/;

export function createSessionCookies({
  publicUrl,
  origins,
  refreshLifetimeMs,
  deviceLifetimeMs,
}: SessionCookieSettings): SessionCookies {
  const secure = publicUrl.startsWith('https:');
  const prefix = secure ? '__Host-' : '';
  const names = {
    access: `${prefix}parley-access`,
    refresh: `${prefix}parley-refresh`,
    device: `${prefix}parley-device`,
  };
  const attributes: CookieSerializeOptions = { path: '/', httpOnly: true, sameSite: 'strict', secure };

  function requireKnownPage(request: FastifyRequest): void {
    const { method, headers } = request;
    const { origin, upgrade } = headers;
    const reading = (method === 'GET' || method === 'HEAD') && upgrade === undefined;
    const site = headers['sec-fetch-site'];
    const known =
      origin === undefined
        ? reading && (site === undefined || site === 'same-origin' || site === 'none')
        : origins.isKnown(request);
    if (!known) throw origins.refuse(request);
  }

  const wantsCookies = ({ headers }: FastifyRequest) => headers[modeHeader] === 'cookie';
  const isKept = ({ cookies }: FastifyRequest) =>
    cookies[names.access] !== undefined || cookies[names.refresh] !== undefined;

  function keep(request: FastifyRequest, reply: FastifyReply, { accessToken, refreshToken, ...rest }: Login) {
    requireKnownPage(request);
    void reply
      .setCookie(names.access, accessToken, { ...attributes, maxAge: rest.expiresIn })
      .setCookie(names.refresh, refreshToken, { ...attributes, maxAge: Math.floor(refreshLifetimeMs / 1000) });
    return rest;
  }

  return {
    answer: (request, reply, login) => (wantsCookies(request) ? keep(request, reply, login) : login),
    keep,
    has: isKept,
    accessToken: (request) => {
      if (!isKept(request)) return undefined;
      requireKnownPage(request);
      const token = request.cookies[names.access];
      // The browser deletes the cookie when the access token expires.
      if (token === undefined) throw new Failure('token_expired', 'the access token has expired');
      return token;
    },
    refreshToken: (request) => {
      const token = request.cookies[names.refresh];
      if (token !== undefined) requireKnownPage(request);
      return token;
    },
    clear: (request, reply) => {
      if (isKept(request)) void reply.clearCookie(names.access, attributes).clearCookie(names.refresh, attributes);
    },
    deviceOf: (request, reply) => {
      // Checked before the login starts, whose answer could not be set as cookies.
      if (wantsCookies(request)) requireKnownPage(request);
      const known = request.cookies[names.device];
      const key = known !== undefined && secret.test(known) ? known : makeSecret();
      if (key !== known)
        void reply.setCookie(names.device, key, { ...attributes, maxAge: Math.floor(deviceLifetimeMs / 1000) });
      return { userAgent: request.headers['user-agent'], address: plainAddress(request.ip) ?? request.ip, key };
    },
  };
}

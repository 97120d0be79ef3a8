/**
 * Which pages may use a login that browsers send by themselves (cookies): Parley's own page, under whatever address it was
 * opened, and the pages that the operator names.
 *
 * An Origin (RFC 6454) equal to the request's own scheme and host is the page that this very address serves. Scheme and
 * host are what the client used: behind a proxy of `http.trustProxy` those of `X-Forwarded-Proto` and `X-Forwarded-Host`.
 * A stranger's host name that resolves to this server brings no cookies of ours, since cookies belong to a host name.
 */
import type { FastifyBaseLogger, FastifyRequest } from 'fastify';
import { Failure } from '../../errors.ts';

export interface PageOriginSettings {
  readonly publicUrl: string;
  /** Origins of pages besides Parley's own, exact. */
  readonly allowedOrigins: readonly string[];
}

export interface PageOrigins {
  /** Whether the request's Origin is Parley's own or one of the list. False without an Origin. */
  readonly isKnown: (request: FastifyRequest) => boolean;
  /** Says why a page's login does not count, and logs it once for each origin. */
  readonly refuse: (request: FastifyRequest) => Failure;
}

/** Different origins that are logged by one process: anybody can send any number of them. */
const loggedMax = 50;
/** Characters of an origin that are repeated in answers and logs. */
const shownMax = 200;

/** The origin of the address that the client used; undefined when that is no address. */
function ownOrigin({ protocol, host }: FastifyRequest): string | undefined {
  // Some proxies name the scheme of an upgrade `ws` or `wss`; the page's Origin has the scheme of the page.
  const address = `${protocol.replace(/^ws/i, 'http')}://${host}`;
  // A host alone: the URL parser would take a path or a password for part of an address.
  return /^[^/?#@\\\s]+$/.test(host) && URL.canParse(address) ? new URL(address).origin : undefined;
}

export function createPageOrigins(
  { publicUrl, allowedOrigins }: PageOriginSettings,
  logger: Pick<FastifyBaseLogger, 'warn'>,
): PageOrigins {
  const listed = new Set([new URL(publicUrl).origin, ...allowedOrigins]);
  const logged = new Set<string>();

  function log(origin: string, own: string | undefined): void {
    if (logged.has(origin) || logged.size >= loggedMax) return;
    logged.add(origin);
    logger.warn(
      { origin, ownOrigin: own },
      'refused a page of another origin; if people open Parley there, set publicUrl or add the origin to http.allowedOrigins',
    );
    if (logged.size === loggedMax) logger.warn('further refused origins are not logged');
  }

  return {
    isKnown: (request) => {
      const { origin } = request.headers;
      return origin !== undefined && (listed.has(origin) || origin === ownOrigin(request));
    },
    refuse: (request) => {
      const origin = request.headers.origin?.slice(0, shownMax);
      const own = ownOrigin(request)?.slice(0, shownMax);
      if (origin === undefined)
        return new Failure('forbidden', 'a login in a cookie counts only with the Origin of a known page');
      log(origin, own);
      return new Failure(
        'forbidden',
        `the page's origin ${origin} is neither this server's (${own ?? 'unknown'}), nor that of publicUrl (${new URL(publicUrl).origin}), nor one of http.allowedOrigins`,
      );
    },
  };
}

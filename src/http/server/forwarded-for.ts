/**
 * Normalises `X-Forwarded-For`. Some proxies add the port (Azure Application Gateway), brackets, a zone, or write an IPv4
 * address in IPv6 form. Without this, every connection of a client could look like another address, and no limit per address
 * would hold.
 */
import { isIP } from 'node:net';
import type { FastifyBaseLogger, onRequestHookHandler } from 'fastify';

const header = 'x-forwarded-for';

/** @returns the address alone, `198.51.100.7` or `2001:db8::7`; undefined for anything else, such as `unknown` */
export function plainAddress(written: string): string | undefined {
  const text = written.trim().replace(/^"(.*)"$/, '$1');
  const [, bracketed, withPort] = /^\[([^\]]*)\](?::\d{1,5})?$|^([\d.]+):\d{1,5}$/.exec(text) ?? [];
  const address = (bracketed ?? withPort ?? text).replace(/%.*$/, '').replace(/^::ffff:(?=[\d.]+$)/i, '');
  return isIP(address) === 0 ? undefined : address;
}

/**
 * The trustworthy addresses of a header. Each proxy appends the address that it saw, so reading starts at the end and stops at
 * the first entry that is not an address: the entries before it came through an unknown hop.
 */
export function readableAddresses(value: string): string[] {
  const addresses: string[] = [];
  for (const entry of value.split(',').toReversed()) {
    if (entry.trim() === '') continue; // RFC 9110 §5.6.1: empty elements of a list do not count
    const address = plainAddress(entry);
    if (address === undefined) break;
    addresses.unshift(address);
  }
  return addresses;
}

/**
 * Rewrites the header before the client's address is read. Without a trusted proxy the header is ignored, and its first
 * occurrence is logged, because all clients then share the limits of one address.
 */
export function tidyForwardedFor(trusted: readonly string[], logger: FastifyBaseLogger): onRequestHookHandler {
  let warned = trusted.length > 0;
  return ({ raw: { headers, socket } }, _reply, done) => {
    const value = headers[header];
    if (typeof value === 'string') {
      const addresses = readableAddresses(value);
      if (addresses.length > 0) headers[header] = addresses.join(', ');
      else delete headers[header];
      if (!warned)
        logger.warn(
          { proxy: socket.remoteAddress },
          'X-Forwarded-For is ignored, so every client counts as this proxy; if it is yours, name it in http.trustProxy',
        );
      warned = true;
    }
    done();
  };
}

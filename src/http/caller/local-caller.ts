/**
 * Whether a request comes from a person or program on this machine. Such a caller may see what a development server shows
 * to its developer, so everything that hints at somebody further away counts against it.
 */
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';

/** Headers in which proxies name the client, besides all that begin with `x-forwarded`. */
const forwardingHeaders = new Set([
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-original-forwarded-for',
  'x-original-host',
  'true-client-ip',
  'cf-connecting-ip',
  'cf-ray',
  'fastly-client-ip',
]);

/** Whether an address is of this machine: 127.0.0.0/8 or ::1, also written as an IPv6 address. */
export function isLoopbackAddress(address: string): boolean {
  const bare = address.replace(/^\[(.*)\]$/, '$1').replace(/^::ffff:(?=\d+\.)/i, '');
  if (isIP(bare) === 4) return bare.startsWith('127.');
  return isIP(bare) === 6 && new URL(`http://[${bare}]`).hostname === '[::1]';
}

/** Whether a host name always means this machine: `localhost`, names below it (RFC 6761 §6.3), and loopback addresses. */
export function isLoopbackHost(hostname: string): boolean {
  return /^(?:[\w-]+\.)*localhost\.?$/i.test(hostname) || isLoopbackAddress(hostname);
}

/**
 * True for a connection from this machine that was not made on behalf of somebody else:
 * - no header of a proxy, whether it is trusted or not;
 * - HTTP/1.1: nginx asks with 1.0 unless it is told otherwise, and without such a header;
 * - addressed to this machine by a name that nobody else can own. A name of a stranger's that resolves to 127.0.0.1 makes
 *   a browser on this machine ask for the stranger's page (DNS rebinding).
 */
export function isLocalCaller({ raw }: FastifyRequest): boolean {
  if (!isLoopbackAddress(raw.socket.remoteAddress ?? '') || raw.httpVersion !== '1.1') return false;
  // As they came: a header that says nothing readable is taken away before it gets here (forwarded-for.ts).
  const names = raw.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  if (names.some((name) => name.startsWith('x-forwarded') || forwardingHeaders.has(name))) return false;
  const address = `http://${raw.headers.host ?? ''}`;
  return URL.canParse(address) && isLoopbackHost(new URL(address).hostname);
}

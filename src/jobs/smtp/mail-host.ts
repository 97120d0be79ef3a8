import { isIP } from 'node:net';
import { hostname } from 'node:os';

/**
 * The name of this deployment towards mail servers: in EHLO (RFC 5321 §4.1.1.1) and in Message-IDs (RFC 5322 §3.6.4).
 *
 * @param publicUrl its host is the name; an address is written as an address literal (RFC 5321 §4.1.3)
 * @returns a fully qualified name where there is one. Many relays refuse literals of loopback addresses, so a deployment
 *   that is reached by one is named after its machine
 */
export function mailHostOf(publicUrl: string, machine = hostname()): string {
  const host = new URL(publicUrl).hostname.replace(/^\[|\]$/g, '');
  const version = isIP(host);
  const isLocal = version === 4 ? host.startsWith('127.') : host === '::1' || /(^|\.)localhost$/.test(host);
  if (isLocal) return /^[\w-]+(\.[\w-]+)+$/.test(machine) ? machine : 'localhost';
  if (version === 4) return `[${host}]`;
  return version === 6 ? `[IPv6:${host}]` : host;
}

/** Reads URLs that users give. The WHATWG parser brings every spelling of an address (octal, hex, fullwidth digits) into one form. */
import { OutboundFailure } from './outbound-failure.ts';

/** Longest URL that is requested. */
export const urlLengthMax = 2048;

/**
 * @param base of a relative redirect
 * @throws OutboundFailure `bad_url`
 */
export function readTargetUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base?.href);
  const isFine =
    url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.hostname !== '';
  if (!isFine || url.href.length > urlLengthMax) throw new OutboundFailure('bad_url');
  url.hash = '';
  return url;
}

export function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

/** `[::1]` in a URL is `::1` for a connection. */
export function hostWithoutBrackets(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

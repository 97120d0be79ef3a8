/** Checks of a request's target and headers that Node leaves to us. */
import type { IncomingMessage } from 'node:http';
import type { onRequestHookHandler } from 'fastify';
import { Failure } from '../../errors.ts';

/** The path and query of a request target. Some proxies send the whole URL, which servers must accept (RFC 9112 §3.2.2). */
export function originForm(target: string): string {
  if (target.startsWith('/')) return target;
  const [, rest] = /^https?:\/\/[^/?#]*(.*)$/i.exec(target) ?? [];
  return rest === undefined ? target : rest.startsWith('/') ? rest : `/${rest}`;
}

/** @param rawHeaders names and values in turn */
export function isHostRepeated(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts > 1;
}

/** Refuses requests whose headers would be misread. */
export function checkHead(headersMax: number): onRequestHookHandler {
  return (request, _reply, done) => {
    // Bodies are read as UTF-8 without decompression: another encoding would store something else than the client sent.
    if (!isPlainUtf8(request.headers))
      done(new Failure('unsupported_media_type', 'bodies are UTF-8 without a content encoding'));
    // Node silently drops headers beyond its maximum.
    else if (request.raw.rawHeaders.length / 2 > headersMax)
      done(new Failure('headers_too_large', `at most ${headersMax} headers`));
    // RFC 9112 §3.2. Node takes the first Host header. A proxy that takes the last one has checked another request.
    else if (isHostRepeated(request.raw.rawHeaders)) done(new Failure('invalid', 'more than one Host header'));
    else done();
  };
}

function isPlainUtf8(headers: IncomingMessage['headers']): boolean {
  if (headers['content-type'] === undefined && headers['content-encoding'] === undefined) return true;
  const charset = /;\s*charset=\s*"?([^";\s]*)/i.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  return /^utf-?8$/i.test(charset) && /^(identity)?$/i.test(headers['content-encoding'] ?? '');
}

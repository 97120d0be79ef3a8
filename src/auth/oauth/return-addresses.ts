/** The addresses that a login through a provider may return to: an open redirect would hand codes to other sites. */
import type { FastifyReply } from 'fastify';
import { invalid } from '../../errors.ts';

export interface ReturnAddresses {
  /** @returns `publicUrl` if none is asked for. @throws Failure `invalid` for an address whose origin is not allowed */
  readonly require: (url: string | undefined) => string;
  /** Redirects to the address with the answer in its fragment; to `publicUrl` if its origin is not allowed. */
  readonly redirect: (
    reply: FastifyReply,
    returnTo: string | undefined,
    answer: Record<string, string>,
  ) => FastifyReply;
}

/** @param allowedOrigins besides the origin of `publicUrl` */
export function createReturnAddresses(publicUrl: string, allowedOrigins: readonly string[]): ReturnAddresses {
  const origins = new Set([new URL(publicUrl).origin, ...allowedOrigins]);
  return {
    require: (url) => {
      if (url === undefined) return publicUrl;
      if (!URL.canParse(url) || !origins.has(new URL(url).origin)) throw invalid('/returnTo', 'not an allowed address');
      return new URL(url).href;
    },
    redirect: (reply, returnTo = publicUrl, answer) => {
      const url = new URL(origins.has(new URL(returnTo).origin) ? returnTo : publicUrl);
      url.hash = new URLSearchParams(answer).toString();
      return reply.redirect(url.href, 302);
    },
  };
}

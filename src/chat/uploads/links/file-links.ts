/**
 * Signed URLs of files, so that `<img>` and `<video>` work without a login. A signature covers the file, whether it is the
 * thumbnail, and the end of its time; that the message still shows the file is checked when it is fetched.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

export type FileVariant = 'file' | 'thumbnail';

export interface SignedQuery {
  /** Seconds since the epoch. */
  readonly expires?: number;
  readonly signature?: string;
}

export interface FileLinks {
  readonly urls: (file: { readonly id: string; readonly hasThumbnail: boolean }) => {
    readonly url: string;
    readonly thumbnailUrl: string | null;
  };
  readonly check: (id: string, variant: FileVariant, query: SignedQuery) => 'valid' | 'expired' | 'none';
}

export interface FileLinkOptions {
  readonly key: Buffer;
  /** Before `/v1/`; empty for URLs relative to the server. */
  readonly baseUrl: string;
  /** Longest time that a link is valid: a former reader may still hold one. The shortest is three quarters of it. */
  readonly lifetimeMs: number;
  readonly nowMs?: () => number;
}

/** 128 bits, as long as a guess is made over the network. */
const signatureBytes = 16;

export function createFileLinks({ key, baseUrl, lifetimeMs, nowMs = Date.now }: FileLinkOptions): FileLinks {
  // The same link for a quarter of its lifetime, so that browsers find the picture in their cache.
  const stepMs = lifetimeMs / 4;

  const sign = (id: string, variant: FileVariant, expires: number) =>
    createHmac('sha256', key).update(`${id} ${variant} ${expires}`).digest().subarray(0, signatureBytes);

  function link(id: string, variant: FileVariant, expires: number): string {
    const path = variant === 'file' ? id : `${id}/thumbnail`;
    const signature = sign(id, variant, expires).toString('base64url');
    return `${baseUrl}/v1/attachments/${path}?expires=${expires}&signature=${signature}`;
  }

  return {
    urls: ({ id, hasThumbnail }) => {
      const expires = Math.floor((Math.floor(nowMs() / stepMs) * stepMs + lifetimeMs) / 1000);
      return {
        url: link(id, 'file', expires),
        thumbnailUrl: hasThumbnail ? link(id, 'thumbnail', expires) : null,
      };
    },
    check: (id, variant, { expires, signature }) => {
      if (expires === undefined || signature === undefined) return 'none';
      const given = Buffer.from(signature, 'base64url');
      if (given.length !== signatureBytes || !timingSafeEqual(given, sign(id, variant, expires))) return 'none';
      return expires * 1000 > nowMs() ? 'valid' : 'expired';
    },
  };
}

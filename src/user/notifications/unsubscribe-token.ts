/** The secret of an unsubscribe link, which needs no login: having the mail is enough (RFC 8058). */
import { createHash, randomBytes } from 'node:crypto';

/** 256 random bits, base64url. Each mail gets a new one; only its hash is stored. */
export function makeUnsubscribeToken(): string {
  return randomBytes(32).toString('base64url');
}

export function hashUnsubscribeToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

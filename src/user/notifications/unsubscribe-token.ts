/** The secret of an unsubscribe link: whoever has the mail may end such mails, without a login (RFC 8058). */
import { createHash, randomBytes } from 'node:crypto';

/** 256 random bits, base64url: a new one for every mail, kept only as a hash. */
export function makeUnsubscribeToken(): string {
  return randomBytes(32).toString('base64url');
}

export function hashUnsubscribeToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

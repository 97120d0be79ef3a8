/** Random secrets that are shown once and kept as hashes. */
import { createHash, randomBytes } from 'node:crypto';

/** 256 random bits, base64url. */
export function makeSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** Secrets of 256 bits need no slow hash: nobody guesses them. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** One-time passwords by time (RFC 6238): six digits, thirty seconds, HMAC-SHA-1, which every authenticator app knows. */
import { createHmac, timingSafeEqual } from 'node:crypto';

const stepSeconds = 30;
const digits = 6;
/** RFC 4648 §6. */
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648 base 32 without padding. */
export function toBase32(bytes: Uint8Array): string {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  return (bits.match(/.{1,5}/g) ?? []).map((group) => alphabet[Number.parseInt(group.padEnd(5, '0'), 2)]).join('');
}

export function stepAt(seconds: number): number {
  return Math.floor(seconds / stepSeconds);
}

/** RFC 4226 §5.3. */
export function codeAt(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const offset = mac[mac.length - 1]! & 0xf;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 10 ** digits).padStart(digits, '0');
}

/**
 * Finds the step whose code this is: the present one or a neighbour (RFC 6238 §5.2), for clocks that differ a little.
 * @param afterStep steps up to this one have been used (§5.2: a code is good once)
 */
export function findStep(
  secret: Uint8Array,
  code: string,
  { seconds, afterStep }: { seconds: number; afterStep: number },
): number | undefined {
  if (!/^\d{6}$/.test(code)) return undefined;
  const given = Buffer.from(code);
  const now = stepAt(seconds);
  // All three are made and compared, whichever fits.
  const fitting = [now - 1, now, now + 1].filter((step) => timingSafeEqual(Buffer.from(codeAt(secret, step)), given));
  return fitting.find((step) => step > afterStep);
}

/** What authenticator apps read from a QR code. */
export function totpUri(secret: Uint8Array, { issuer, account }: { issuer: string; account: string }): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`;
  const query = new URLSearchParams({
    secret: toBase32(secret),
    issuer,
    algorithm: 'SHA1',
    digits: String(digits),
    period: String(stepSeconds),
  });
  return `otpauth://totp/${label}?${query}`;
}

/**
 * Time-based one-time passwords (RFC 6238) with six digits, 30 seconds and HMAC-SHA-1, the form that every authenticator
 * app supports. otpauth computes them; the check of a code is Parley's own (docs/decisions/0019-one-time-passwords.md).
 */
import { timingSafeEqual } from 'node:crypto';
import { HOTP, Secret, TOTP } from 'otpauth';

const form = { algorithm: 'SHA1', digits: 6 } as const;
const period = 30;

/** RFC 4648 base32 without padding. */
export function toBase32(bytes: Uint8Array): string {
  return toSecret(bytes).base32;
}

/** The number of the time step (RFC 6238 §4.2). @param seconds since the epoch */
export function stepAt(seconds: number): number {
  return TOTP.counter({ period, timestamp: seconds * 1000 });
}

/** The code of a time step (RFC 4226 §5.3). */
export function codeAt(secret: Uint8Array, step: number): string {
  return HOTP.generate({ ...form, secret: toSecret(secret), counter: step });
}

/**
 * Finds the time step of a code: the current one or a neighbour (RFC 6238 §5.2), since clocks differ a little.
 * @param seconds the time since the epoch
 * @param afterStep a code of this step or an earlier one was used already and is refused (§5.2: a code works once)
 */
export function findStep(
  secret: Uint8Array,
  code: string,
  { seconds, afterStep }: { seconds: number; afterStep: number },
): number | undefined {
  if (!/^\d{6}$/.test(code)) return undefined;
  const given = Buffer.from(code);
  const now = stepAt(seconds);
  // All three are computed and compared, so the time taken does not tell which one matches.
  const matching = [now - 1, now, now + 1].filter((step) => timingSafeEqual(Buffer.from(codeAt(secret, step)), given));
  return matching.find((step) => step > afterStep);
}

/** The text of the QR code that authenticator apps scan. */
export function totpUri(secret: Uint8Array, { issuer, account }: { issuer: string; account: string }): string {
  return new TOTP({ ...form, period, issuer, label: account, secret: toSecret(secret) }).toString();
}

function toSecret(bytes: Uint8Array): Secret {
  return Secret.fromHex(Buffer.from(bytes).toString('hex'));
}

/** Times in tokens: seconds since the epoch, with or without a fraction (RFC 7519 section 2, NumericDate). */

/** The last second that a `Date` can hold. Far below 2^53, so every whole second is exact. */
const secondsMax = 8_640_000_000_000;
/** Registered claims that contain a time, and `auth_time` of OpenID Connect. */
const timeClaims = ['exp', 'nbf', 'iat', 'auth_time'] as const;

/** Whether every time in the claims is a number from 0 to the last date. JSON reads `1e400` as infinite, for example. */
export function hasPlainTimes(claims: Readonly<Record<string, unknown>>): boolean {
  return timeClaims.every((name) => {
    const value = claims[name];
    return value === undefined || (typeof value === 'number' && value >= 0 && value <= secondsMax);
  });
}

/** Converts to whole milliseconds since the epoch. */
export function toMs(seconds: number): number {
  return Math.floor(seconds * 1000);
}

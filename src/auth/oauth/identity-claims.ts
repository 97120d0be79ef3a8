/** Reads what providers and host applications say of a person. Odd values count as absent. */
import { toLine } from '../../http/input/line-text.ts';

/** What is said of a person elsewhere. */
export interface PersonClaims {
  readonly issuer: string;
  readonly subject: string;
  readonly name?: string | undefined;
  readonly username?: string | undefined;
  readonly picture?: string | undefined;
  readonly email?: string | undefined;
  readonly emailVerified?: boolean;
}

/** Who a provider says that somebody is. */
export interface VerifiedIdentity {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | undefined;
  readonly username: string | undefined;
  readonly picture: string | undefined;
  readonly email: string | undefined;
  readonly emailVerified: boolean;
}

/** Code points of a name that are looked at, and judged. */
const nameMax = 1024;

/** A text as it is; neither NUL nor half a surrogate pair, which Postgres cannot store. */
export function textOf(value: unknown, lengthMax = 2048): string | undefined {
  const isText =
    typeof value === 'string' &&
    value !== '' &&
    value.length <= lengthMax &&
    value.isWellFormed() &&
    !value.includes('\0');
  return isText ? value : undefined;
}

/** A name made to fit one line. It cannot be refused: whoever typed it is not here. */
export function nameOf(value: unknown): string | undefined {
  return typeof value === 'string' ? toLine(value.slice(0, nameMax * 2), nameMax) : undefined;
}

export interface AddressClaims {
  readonly email: string | undefined;
  readonly emailVerified: boolean;
}

/**
 * A flag, as a boolean or as text: Cognito and Apple write `"true"`. Undefined: the claim does not say. Any other value is no
 * yes.
 */
function flagOf(value: unknown): boolean | undefined {
  return value === undefined || value === null ? undefined : value === true || value === 'true';
}

/**
 * Microsoft says with `xms_edov` whether the owner of the address's domain vouches for it, and knows no `email_verified`. It
 * comes as a boolean, a number or a text.
 */
function isOwnedDomain(value: unknown): boolean {
  return flagOf(value) === true || value === 1 || value === '1';
}

/** The address in a set of claims. Without a word on it an address is not verified. */
export function addressOf(claims: Readonly<Record<string, unknown>>): AddressClaims {
  const email = textOf(claims.email);
  const emailVerified = flagOf(claims.email_verified) ?? isOwnedDomain(claims.xms_edov);
  return { email, emailVerified: email !== undefined && emailVerified };
}

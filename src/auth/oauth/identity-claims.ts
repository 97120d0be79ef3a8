/** Reads the claims of providers and host applications about a person. A value of the wrong type counts as absent. */
import { toLine } from '../../http/input/line-text.ts';

/** The claims of an issuer about a person. */
export interface PersonClaims {
  readonly issuer: string;
  readonly subject: string;
  readonly name?: string | undefined;
  readonly username?: string | undefined;
  readonly picture?: string | undefined;
  readonly email?: string | undefined;
  readonly emailVerified?: boolean;
}

/** The identity that a provider proved. */
export interface VerifiedIdentity {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | undefined;
  readonly username: string | undefined;
  readonly picture: string | undefined;
  readonly email: string | undefined;
  readonly emailVerified: boolean;
}

/** Code points of a name that are read and moderated. */
const nameMax = 1024;

/** A text without NUL and lone surrogates, which Postgres cannot store. */
export function textOf(value: unknown, lengthMax = 2048): string | undefined {
  const isText =
    typeof value === 'string' &&
    value !== '' &&
    value.length <= lengthMax &&
    value.isWellFormed() &&
    !value.includes('\0');
  return isText ? value : undefined;
}

/** A name, cut and cleaned to one line. It is not refused, because the person cannot correct it here. */
export function nameOf(value: unknown): string | undefined {
  return typeof value === 'string' ? toLine(value.slice(0, nameMax * 2), nameMax) : undefined;
}

export interface AddressClaims {
  readonly email: string | undefined;
  readonly emailVerified: boolean;
}

/**
 * Reads a flag that is a boolean or a text: Cognito and Apple write `"true"`. Any other value counts as false.
 * @returns undefined if the claim is absent
 */
function flagOf(value: unknown): boolean | undefined {
  return value === undefined || value === null ? undefined : value === true || value === 'true';
}

/**
 * Microsoft sends `xms_edov` in place of `email_verified`: whether the owner of the address's domain has verified it, as a
 * boolean, a number or a text.
 */
function isOwnedDomain(value: unknown): boolean {
  return flagOf(value) === true || value === 1 || value === '1';
}

/** The address in a set of claims. Without a claim about its verification it is not verified. */
export function addressOf(claims: Readonly<Record<string, unknown>>): AddressClaims {
  const email = textOf(claims.email);
  const emailVerified = flagOf(claims.email_verified) ?? isOwnedDomain(claims.xms_edov);
  return { email, emailVerified: email !== undefined && emailVerified };
}

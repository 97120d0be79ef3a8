/** The syntax of names and addresses. */
import { domainToASCII } from 'node:url';
import { invalid } from '../../errors.ts';
import { requireLine } from '../../http/input/line-text.ts';
import { isMentionable } from '../../transform/mention-names.ts';

/** Names with a meaning in Parley, reserved whatever the settings say. */
const taken = ['me', 'here', 'room', 'all', 'everyone', 'channel', 'deleted', 'system', 'parley'];

/** RFC 5321 §4.1.2 Dot-string: no comments, no quotes. */
const localPart = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
/** RFC 5321 §4.5.3.1.1, in octets. */
const localPartMax = 64;
/** RFC 5321 §4.5.3.1.2, in octets. */
const domainMax = 255;
const domain = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$/;
export const displayNameMax = 64;

/** @returns the name without surrounding white space. @throws Failure `invalid` naming the field, for a name that cannot be mentioned or is reserved */
export type RequireUsername = (text: string) => string;

/**
 * Checks new usernames: a text must be able to mention them (transform/mention-names.ts), and reserved ones are refused.
 * Existing accounts keep their names.
 *
 * @param reserved names that nobody can take, in any case and with or without `_`, `.` and `-` at the end
 */
export function createUsernameRule(reserved: readonly string[]): RequireUsername {
  const bare = (text: string) => text.toLowerCase().replace(/[_.-]+$/, '');
  const refused = new Set([...taken, ...reserved].map(bare));
  return (typed) => {
    const text = typed.trim();
    if (!isMentionable(text))
      throw invalid(
        '/username',
        '2 to 32 letters, digits, "_", "." or "-", the first one a letter or digit, the last one no "." or "-"',
      );
    if (refused.has(bare(text))) throw invalid('/username', 'is reserved');
    return text;
  };
}

/**
 * @returns the address as it is stored, without surrounding white space and with an ASCII domain (see `toAsciiDomain`)
 * @throws Failure `invalid` naming the field
 */
export function requireEmail(typed: string): string {
  const text = requireKnownEmail(typed);
  if (text.lastIndexOf('@') > localPartMax)
    throw invalid('/email', `at most ${localPartMax} characters are possible before the "@"`);
  return text;
}

/**
 * The same for an address that an account may have already: earlier versions accepted longer local parts.
 * @throws Failure `invalid` naming the field
 */
export function requireKnownEmail(typed: string): string {
  const text = toAsciiDomain(typed.trim());
  const at = text.lastIndexOf('@');
  const [local, host] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || host.length > domainMax || !domain.test(host)) throw invalid('/email', 'not an e-mail address');
  // Few mail servers take others (RFC 6531), and no form of such a name in ASCII exists.
  if (/\P{ASCII}/u.test(local)) throw invalid('/email', 'only ASCII letters are possible before the "@"');
  if (!localPart.test(local)) throw invalid('/email', 'not an e-mail address');
  return text;
}

/**
 * An address with the domain in its ASCII form (RFC 5891: `exämple.org` is `xn--exmple-cua.org`), as mail servers and the database know
 * it. A text that is no address, and a domain that is ASCII already, stay as they are.
 */
export function toAsciiDomain(text: string): string {
  const at = text.lastIndexOf('@');
  const host = text.slice(at + 1);
  if (at < 1 || !/\P{ASCII}/u.test(host)) return text;
  const ascii = domainToASCII(host);
  return ascii === '' ? text : `${text.slice(0, at)}@${ascii}`;
}

/** @throws Failure `invalid` as `requireLine`; longer than `displayNameMax` is `invalid` too */
export function requireDisplayName(text: string): string {
  return requireLine(text, '/displayName', { max: displayNameMax });
}

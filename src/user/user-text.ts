/** What names and addresses may look like. */
import { invalid } from '../errors.ts';
import { requireLine } from '../http/line-text.ts';

/** Usernames are typed after "@" in messages: letters, digits and `_ . -`, no case. */
const username = /^[A-Za-z0-9][A-Za-z0-9_.-]{1,31}$/;
/** Names that would speak for the house. */
const reserved = new Set([
  'me',
  'admin',
  'administrator',
  'system',
  'parley',
  'deleted',
  'here',
  'all',
  'everyone',
  'channel',
]);
/** One address, no comments, lists or quotes: what RFC 5321 calls Dot-string @ Domain, at most 320 octets. */
const address =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$/;
export const displayNameMax = 64;

/** @throws Failure `invalid` naming the field */
export function requireUsername(text: string): string {
  if (!username.test(text))
    throw invalid('/username', '2 to 32 letters, digits, "_", "." or "-", the first one a letter or digit');
  if (reserved.has(text.toLowerCase())) throw invalid('/username', 'is reserved');
  return text;
}

/** @throws Failure `invalid` naming the field */
export function requireEmail(text: string): string {
  if (text.length > 320 || !address.test(text)) throw invalid('/email', 'not an e-mail address');
  return text;
}

/** @throws Failure `invalid` as `requireLine`; longer than `displayNameMax` is `invalid` too */
export function requireDisplayName(text: string): string {
  return requireLine(text, '/displayName', { max: displayNameMax });
}

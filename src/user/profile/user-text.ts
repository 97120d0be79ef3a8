/** What names and addresses may look like. */
import { invalid } from '../../errors.ts';
import { requireLine } from '../../http/input/line-text.ts';
import { isMentionable } from '../../transform/mention-names.ts';

/** Names that the product gives a meaning of its own, whatever the settings say. */
const taken = ['me', 'here', 'room', 'all', 'everyone', 'channel', 'deleted', 'system', 'parley'];

/** One address, no comments, lists or quotes: what RFC 5321 calls Dot-string @ Domain, at most 320 octets. */
const address =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$/;
export const displayNameMax = 64;

/** @returns the name without surrounding white space. @throws Failure `invalid` naming the field, for a name that cannot be mentioned or is reserved */
export type RequireUsername = (text: string) => string;

/**
 * What a new username may be: a name that a text can mention (transform/mention-names.ts) and that does not speak for the
 * house. Accounts keep the names that they have.
 *
 * @param reserved names that nobody gets, in any case and with or without marks at the end
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

/** @returns the address without surrounding white space. @throws Failure `invalid` naming the field */
export function requireEmail(typed: string): string {
  const text = typed.trim();
  if (text.length > 320 || !address.test(text)) throw invalid('/email', 'not an e-mail address');
  return text;
}

/** @throws Failure `invalid` as `requireLine`; longer than `displayNameMax` is `invalid` too */
export function requireDisplayName(text: string): string {
  return requireLine(text, '/displayName', { max: displayNameMax });
}

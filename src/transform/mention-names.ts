/**
 * The grammar of names that can be mentioned. Used both for finding mentions and for accepting user names.
 *
 * A name is 2 to 32 ASCII letters, digits and `_ . -`. It begins with a letter or digit, and ends with neither a full stop
 * nor a dash, which belong to the sentence around it. Only a whole name is a mention: `@name` within a longer word is not.
 */

export interface NamedMention {
  /** Of the `@`, in UTF-16 units. */
  readonly index: number;
  /** Without the `@`. */
  readonly name: string;
}

const nameMin = 2;
const nameMax = 32;
/** A run of name characters after an `@` with no part of a word or address before it. */
const run = /(?<![\p{L}\p{N}_.+@/-])@([A-Za-z0-9][A-Za-z0-9_.-]*)/gu;
/**
 * What continues the word, so that the run is not the whole name: letters of similar scripts, accents, and the host of an address.
 * Scripts without spaces may follow directly.
 */
const wordGoesOn = /^(?:[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{M}]|@[A-Za-z0-9])/u;

/** The name in a run, without punctuation at its end. */
function nameIn(characters: string): string | undefined {
  let end = characters.length;
  while (end > 0 && (characters[end - 1] === '.' || characters[end - 1] === '-')) end--;
  return end >= nameMin && end <= nameMax ? characters.slice(0, end) : undefined;
}

/** Whether `@name` mentions exactly this name. */
export function isMentionable(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name) && nameIn(name) === name;
}

/** The mentions in text without markup, in order. */
export function* findMentions(text: string): Generator<NamedMention> {
  for (const { index, 1: characters } of text.matchAll(run)) {
    const name = nameIn(characters!);
    if (name === undefined) continue;
    const end = index + 1 + characters!.length;
    if (name.length === characters!.length && wordGoesOn.test(text.slice(end, end + 2))) continue;
    yield { index, name };
  }
}

/**
 * Which names a text can mention: the one grammar for whoever reads mentions and for whoever hands out names.
 *
 * A name is 2 to 32 ASCII letters, digits and `_ . -`. It begins with a letter or digit, and ends with neither a full stop
 * nor a dash, which belong to the sentence around it. A mention is the whole name: what is longer mentions nobody.
 */

export interface NamedMention {
  /** Of the `@`, in UTF-16 units. */
  readonly index: number;
  /** Without the `@`. */
  readonly name: string;
}

const nameMin = 2;
const nameMax = 32;
/** A run of name characters after an `@` that nothing of a word or an address stands before. */
const run = /(?<![\p{L}\p{N}_.+@/-])@([A-Za-z0-9][A-Za-z0-9_.-]*)/gu;
/**
 * What goes on with the word, so that the run is not all of it: letters of scripts that look like the name's own, accents,
 * and the host of an address. Scripts that write without spaces may follow at once.
 */
const wordGoesOn = /^(?:[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{M}]|@[A-Za-z0-9])/u;

/** The name in a run: without the marks that end a sentence. */
function nameIn(characters: string): string | undefined {
  let end = characters.length;
  while (end > 0 && (characters[end - 1] === '.' || characters[end - 1] === '-')) end--;
  return end >= nameMin && end <= nameMax ? characters.slice(0, end) : undefined;
}

/** Whether `@name` mentions exactly this name. */
export function isMentionable(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name) && nameIn(name) === name;
}

/** The mentions in words without markup, in their order. */
export function* findMentions(text: string): Generator<NamedMention> {
  for (const { index, 1: characters } of text.matchAll(run)) {
    const name = nameIn(characters!);
    if (name === undefined) continue;
    const end = index + 1 + characters!.length;
    if (name.length === characters!.length && wordGoesOn.test(text.slice(end, end + 2))) continue;
    yield { index, name };
  }
}

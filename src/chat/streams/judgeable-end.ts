/**
 * How much of a text that is still growing can be judged. The start of a word may be a word of its own, and a bad one:
 * `ass` of `assistant`. So a step judges whole words. Scripts that are written without spaces end a word with each character.
 */
const upToWordEnd =
  /^.*[\s\p{P}\p{S}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/su;

/** Longer than any word, in UTF-16 units. */
const wordMax = 100;

/**
 * @param from where the last step ended
 * @returns the UTF-16 offset up to which the text can be judged; `from` if there is nothing new
 */
export function judgeableEnd(text: string, from: number): number {
  const fresh = text.slice(from);
  const words = upToWordEnd.exec(fresh)?.[0].length ?? 0;
  return from + (fresh.length - words > wordMax ? fresh.length : words);
}

/**
 * Which texts are an emoji: one emoji of the set that Unicode recommends for interchange (UTS #51, RGI), or the name of a
 * custom emoji between colons.
 */
import { invalid } from '../../errors.ts';

/** UTF-16 units. The longest emoji of Unicode 17 has 15. */
export const emojiLengthMax = 64;

export interface ReadEmoji {
  /** As it is stored and shown. */
  readonly emoji: string;
  /** Of a custom emoji. */
  readonly customName?: string;
}

const recommended = /^\p{RGI_Emoji}$/v;
const custom = /^:([a-z0-9_-]{2,32}):$/;
/** Asks for the emoji form of the character before it. */
const emojiStyle = '\ufe0f';
/** Characters that are text without the selector. A skin tone after them makes them an emoji by itself. */
const textByDefault = /(?=\p{Emoji})\P{Emoji_Presentation}(?!\p{Emoji_Modifier})/gu;

/**
 * Brings an emoji into the one spelling that is stored. Keyboards differ in whether they write U+FE0F, so spellings that
 * differ in it alone are the same reaction. U+FE0E asks for text: that is no emoji. Skin tones are different emoji.
 * @throws Failure `invalid`
 */
export function readEmoji(text: string): ReadEmoji {
  const customName = custom.exec(text)?.[1];
  if (customName !== undefined) return { emoji: text, customName };
  const emoji = text.replaceAll(emojiStyle, '').replace(textByDefault, `$&${emojiStyle}`);
  if (text.length > emojiLengthMax || !recommended.test(emoji))
    throw invalid('/emoji', 'one emoji, or the name of a custom emoji between colons');
  return { emoji };
}

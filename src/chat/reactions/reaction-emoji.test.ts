import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { Failure } from '../../errors.ts';
import { readEmoji } from './reaction-emoji.ts';

const list = createRequire(import.meta.url).resolve('emoji-picker-element-data/en/emojibase/data.json');

interface ListedEmoji {
  readonly emoji: string;
  readonly skins?: readonly { readonly emoji: string }[];
}

const emojis = (JSON.parse(readFileSync(list, 'utf8')) as ListedEmoji[]).flatMap(({ emoji, skins = [] }) => [
  emoji,
  ...skins.map((skin) => skin.emoji),
]);

test('every emoji of a picker is accepted, with and without the selector, and has one spelling', () => {
  expect(emojis.length).toBeGreaterThan(3000);
  const wrong = emojis.filter((emoji) => {
    const stored = readEmoji(emoji).emoji;
    return readEmoji(emoji.replaceAll('\ufe0f', '')).emoji !== stored || readEmoji(stored).emoji !== stored;
  });
  expect(wrong).toEqual([]);
  expect(new Set(emojis.map((emoji) => readEmoji(emoji).emoji)).size).toBe(new Set(emojis).size);
});

test('the name of a custom emoji is told from an emoji', () => {
  expect(readEmoji(':party_parrot:')).toEqual({ emoji: ':party_parrot:', customName: 'party_parrot' });
  expect(readEmoji('👍')).toEqual({ emoji: '👍' });
  expect(readEmoji('❤')).toEqual({ emoji: '❤️' });
});

test.each([
  ['two emoji', '👍👍'],
  ['a letter', 'a'],
  ['a digit', '1'],
  ['an emoji that asks for text', '❤\ufe0e'],
  ['an emoji and a space', '👍 '],
  ['half a flag', '\u{1f1e9}'],
  ['a joiner without an end', '👩\u200d'],
  ['a sequence that is not recommended', '👍\u200d👎'],
  ['half a surrogate pair', '\ud83d'],
  ['a long row of selectors', `👍${'\ufe0f'.repeat(64)}`],
  ['an upper-case name', ':Party:'],
  ['a name of one letter', ':a:'],
  ['a name without its end', ':party'],
  ['a path', ':../../etc:'],
  ['nothing', ''],
])('%s is no reaction', (_what, text) => {
  expect(() => readEmoji(text)).toThrow(Failure);
});

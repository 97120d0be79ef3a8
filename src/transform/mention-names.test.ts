import { expect, test } from 'vitest';
import { findMentions, isMentionable } from './mention-names.ts';
import { render } from './render.ts';

const longest = `a${'b'.repeat(31)}`;

test.each(['ana', 'Ana_2', 'b.c', 'a-b', 'a_', '42', 'bob.com', 'www.bob', 'a..b', longest])(
  '%s can be mentioned, wherever it stands in a sentence',
  (name) => {
    expect(isMentionable(name)).toBe(true);
    for (const text of [
      `@${name}`,
      `Hi @${name}.`,
      `(@${name}), *you*`,
      `@${name}!`,
      `@${name}...`,
      `@${name}'s`,
      `看@${name}`,
    ])
      expect([text, render(text).mentions.map((each) => each.name)]).toEqual([
        text,
        text.startsWith('看') ? [] : [name],
      ]);
  },
);

test.each(['bob.', 'bob-', 'bob.-', 'b', '', '.bob', '-bob', '_bob', `${longest}c`, 'jörg', 'a b', 'a\n', 'bob@x'])(
  '%j cannot be mentioned',
  (name) => {
    expect(isMentionable(name)).toBe(false);
  },
);

test.each([
  [`@${longest}c`, 'a name of 33 characters'],
  [`@${longest}.c`, 'a longer name with a full stop in it'],
  ['@josé', 'a name that goes on with another letter'],
  ['@jose\u0301', 'a name that goes on with an accent'],
  ['@anaв', 'a name that goes on with a letter that looks like its own'],
  ['@ana@chat.example', 'an address'],
])('%s mentions nobody: it is %s', (text) => {
  expect([...findMentions(text)]).toEqual([]);
  expect(render(text).mentions).toEqual([]);
});

test('scripts that write without spaces may follow a name at once', () => {
  const text = '@ana请看 @ben님 @eve。';
  expect([...findMentions(text)]).toEqual([
    { index: 0, name: 'ana' },
    { index: 7, name: 'ben' },
    { index: 13, name: 'eve' },
  ]);
});

test('a long run of name characters takes linear time', () => {
  expect([...findMentions(`@${'a'.repeat(500_000)}é ${'@a'.repeat(100_000)}`)]).toEqual([]);
});

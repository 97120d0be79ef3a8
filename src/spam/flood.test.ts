import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createFloodWindow, type FloodLimits } from './flood.ts';
import { fingerprintOf } from './text/minhash.ts';
import { createNormaliser } from './text/normalise.ts';

const artefacts = new URL('../../data/moderation/artefacts/', import.meta.url);
const normalise = createNormaliser(JSON.parse(readFileSync(new URL('lookalikes.json', artefacts), 'utf8')));
const limits: FloodLimits = {
  authorCopies: 3,
  authorCopiesMs: 30_000,
  roomCopies: 5,
  roomCopiesMs: 60_000,
  authorMessages: 8,
  authorMessagesMs: 10_000,
  authorsMax: 3,
  roomsMax: 2,
};

function startWindow() {
  const window = createFloodWindow(limits);
  const see = (text: string, atMs: number, authorId = 'ana', roomId = 'hall', messageId?: string) =>
    window.see({ text, atMs, authorId, roomId, messageId, fingerprint: fingerprintOf(normalise(text)) })?.id;
  return { window, see };
}

const line = 'join my server now for giveaways every hour';

test.each([
  ['the same', [line, line, line, line]],
  ['other case, numbers, signs', [line, `${line.toUpperCase()}!!!`, `${line} 4711`, `${line} 🔥`]],
  [
    'other letters that look alike',
    [line, line.replaceAll('o', 'о'), line.replaceAll('e', '3'), line.split('').join('\u200b')],
  ],
  ['a word more each time', [line, `guys ${line}`, `${line} please`, `hello ${line} friends`]],
])('the fourth copy by one author within 30 s is a flood: %s', (_, texts) => {
  const { see } = startWindow();
  expect(texts.map((text, at) => see(text, at * 9000))).toEqual([undefined, undefined, undefined, 'author-copies']);
});

test('copies that are further apart, and short everyday words, are not a flood', () => {
  const { see } = startWindow();
  expect([0, 1, 2, 3, 4].map((at) => see(line, at * 11_000))).not.toContain('author-copies');
  const other = startWindow();
  expect(Array.from({ length: 20 }, (_, at) => other.see('lol', at * 2000, `u${at}`))).not.toContain('room-copies');
});

test.each([
  'happy birthday ana!!',
  'good morning everyone',
  'congratulations!!! 🎉🎉',
  'lunch, anyone? +1 +1',
  'guten Morgen zusammen',
  'доброе утро всем',
  '大家早上好，节日快乐',
  'おはようございます皆さん',
])('small talk of many people at once is not a raid: %s', (text) => {
  const { see } = startWindow();
  expect(Array.from({ length: 15 }, (_, at) => see(text, at * 4000, `u${at}`))).toEqual(new Array(15).fill(undefined));
  // Nor over hours, by few.
  const day = startWindow();
  expect(Array.from({ length: 60 }, (_, at) => day.see(text, at * 240_000, `u${at % 3}`))).toEqual(
    new Array(60).fill(undefined),
  );
});

test('a greeting to several rooms is not a flood; endless repetition is', () => {
  const { see } = startWindow();
  const greet = (at: number) => see('good morning everyone', at * 2000, 'ana', `r${at % 2}`);
  expect(Array.from({ length: 14 }, (_, at) => greet(at)).slice(0, 12)).toEqual(new Array(12).fill(undefined));
  expect(greet(14)).toBe('author-copies');
  const raid = startWindow();
  const ids = Array.from({ length: 25 }, (_, at) => raid.see('ana is a liar, out', at * 500, `u${at}`));
  expect(ids.slice(20)).toEqual(new Array(5).fill('room-copies'));
});

test.each(['join discord.gg/abcdef', 'ask @lucky_trader', 'call 0906170146 now please', 'https://a.example fun'])(
  'short words that lead somewhere are counted as any: %s',
  (text) => {
    const { see } = startWindow();
    expect([0, 1, 2, 3, 4, 5].map((at) => see(text, at * 9000, `u${at}`)).at(-1)).toBe('room-copies');
  },
);

test('the sixth copy in a room within a minute is a raid, by any authors, and does not count in other rooms', () => {
  const { see } = startWindow();
  expect([0, 1, 2, 3, 4, 5].map((at) => see(line, at * 9000, `u${at}`))).toEqual([
    ...new Array(5).fill(undefined),
    'room-copies',
  ]);
  expect(see(line, 55_000, 'u9', 'kitchen')).toBeUndefined();
});

test('the ninth message of an author within 10 s is a flood, whatever its text; a message seen twice counts once', () => {
  const { see } = startWindow();
  const words =
    'one for the road|where is my hat|tea is ready now|nobody told me|look outside|it snows again|so cold here|bring a coat|see you there';
  const ids = words.split('|').map((text, at) => see(text, at * 1000, 'ben', 'hall', `m${at}`));
  expect(ids).toEqual([...new Array(8).fill(undefined), 'author-rate']);
  const again = startWindow();
  expect(Array.from({ length: 20 }, (_, at) => again.see(line, at, 'ben', 'hall', 'one'))).toEqual(
    new Array(20).fill(undefined),
  );
});

test('the memory of authors and rooms is bounded', () => {
  const { window, see } = startWindow();
  for (let at = 0; at < 1000; at++) see(`${line} ${at}`, at, `u${at}`, `r${at}`);
  expect(window.sizes()).toEqual({ authors: 3, rooms: 2 });
});

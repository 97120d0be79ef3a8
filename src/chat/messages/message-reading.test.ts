import { expect, test } from 'vitest';
import { pageAround } from './message-reading.ts';

const page = (messages: string[], hasMore = false) => ({ messages, hasMore });

test.each([
  ['half of the page is older', ['1', '2', '3'], ['4', '5', '6'], 4, ['2', '3', '4', '5'], true],
  ['a short older side is filled up with newer messages', ['1'], ['2', '3', '4'], 4, ['1', '2', '3', '4'], false],
  ['a short newer side is filled up with older messages', ['1', '2', '3'], ['4'], 4, ['1', '2', '3', '4'], false],
  ['the message in the middle is on the newer side', ['1'], ['2'], 1, ['2'], true],
])('%s', (_title, older, newer, limit, messages, hasMore) => {
  expect(pageAround(page(older), page(newer), limit)).toEqual({ messages, hasMore });
});

test('a page around a message says that there is more if either side does', () => {
  expect(pageAround(page(['1'], true), page(['2']), 2)).toEqual({ messages: ['1', '2'], hasMore: true });
});

import { expect, test } from 'vitest';
import { joinForwarded, splitForwarded } from './forwarded-text.ts';

const copied = { text: 'one\n\n> quoted\n  two 😀', html: '<p>one</p><blockquote><p>quoted</p></blockquote>' };
const comment = { text: 'look at *this*', html: '<p>look at <em>this</em></p>' };
const empty = { text: '', html: '' };

test('a comment and what was copied are told apart again', () => {
  const joined = joinForwarded(comment, copied);
  expect(joined.text).toBe('look at *this*\n\n> one\n> \n> > quoted\n>   two 😀');
  const length = { text: comment.text.length, html: comment.html.length };
  expect(splitForwarded(joined, length)).toEqual({ comment, copied });
});

test('without a comment the text is what was copied, and a copied file alone leaves the comment', () => {
  expect(joinForwarded(empty, copied)).toEqual(copied);
  expect(splitForwarded(copied, undefined)).toEqual({ comment: undefined, copied });
  expect(joinForwarded(comment, empty)).toEqual(comment);
  const length = { text: comment.text.length, html: comment.html.length };
  expect(splitForwarded(comment, length)).toEqual({ comment, copied: empty });
});

test.each(['\r\n', '\u2028', '\u0085', '\r'])('a line break of another kind (%j) survives the quote', (separator) => {
  const odd = { text: `one${separator}two`, html: '<p>x</p>' };
  const length = { text: comment.text.length, html: comment.html.length };
  expect(splitForwarded(joinForwarded(comment, odd), length).copied).toEqual(odd);
});

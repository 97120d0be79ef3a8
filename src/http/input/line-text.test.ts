import { expect, test } from 'vitest';
import { readLine, requireLine, toLine } from './line-text.ts';

const line = (text: string, max = 64) => requireLine(text, '/name', { max });
/** Escapes what does not show, so that titles and failures can be read. */
const shown = (text: string) => text.replace(/[^\x20-\x7e]/gu, (each) => `\\u{${each.codePointAt(0)!.toString(16)}}`);

test.each(
  [
    'a\r\nBcc: eve@example.org',
    'a\nb',
    'a\tb',
    'a\0b',
    'a\u007fb',
    'a\u0085b',
    'a\u2028b',
    'a\u2029b',
    '\u001b[31mred',
    'a\ufffeb',
    'a\u{1fffe}b',
    'a\ufff9b',
    'a\ud800b',
    'a\udc00',
    'evil\u202egnp.exe',
    '\u2067turned\u2069',
  ].map((text) => [shown(text), text]),
)('"%s" is refused, with the field named', (_, text) => {
  const refusal = { code: 'invalid', errors: [{ path: '/name', message: expect.any(String) }] };
  expect(() => line(text)).toThrow(expect.objectContaining(refusal));
});

test.each(
  [
    '',
    '   ',
    '\u00a0\u3000',
    '\u3164',
    '\uffa0\u115f\u1160',
    '\u2800\u2800',
    '\u00ad',
    '\u034f',
    '\u180e',
    '\u17b4\u17b5',
    '\u200b\u200c\u200d\u2060\ufeff',
    '\ufe0f\ufe00\u{e0100}',
    '\u{e0041}\u{e006e}\u{e0061}\u{e007f}',
    '\u{1d159}\u{1d173}',
    '\u{13441}\u{13442}',
    '\ufffc',
    '\u0301',
    '\u2065\u{e0fff}\ufff0',
    '\ue000\u{f0000}',
    '\u3164 \u200d\u2800\u00ad\u{e0020}',
  ].map((text) => [shown(text), text]),
)('"%s" shows nothing and is refused', (_, text) => {
  expect(() => line(text)).toThrow(/visible/);
  expect(toLine(text, 64)).toBeUndefined();
});

test.each(
  [
    '👩‍💻 Ana',
    '👨‍👩‍👧‍👦',
    '👩🏽‍🚀',
    '🏳️‍🌈',
    '🐻‍❄️',
    '🏴󠁧󠁢󠁥󠁮󠁧󠁿 fan',
    '❤️ ✌︎',
    '1️⃣ #️⃣',
    // Emoji that a later Unicode may name.
    '\u{1faff}\u200d\u{1f9ff}',
    'می\u200cخواهم',
    'ه\u200d',
    'ශ්\u200dරී',
    'क्\u200cष क्\u200dष',
    'അവന്\u200d',
    'র\u200d্যাব',
    'ᠬᠠᠷ\u180eᠠ',
    '葛\u{e0100}城',
    'ᄒ\u1160',
    'ནཧྐྵྨླྺྼྻྃ',
    'שָׁלוֹם',
    'Tiếng Việt',
    // A letter of a later Unicode.
    '\u{323b0}',
    '.',
    '1',
  ].map((text) => [shown(text), text.normalize('NFC')]),
)('"%s" is kept as it is', (_, text) => {
  expect(line(text)).toBe(text);
  expect(toLine(text, 64)).toBe(text);
});

test.each([
  ['  Ana \u00a0 Maria ', 'Ana Maria'],
  ['A\u200dna\u200b', 'Ana'],
  ['Auf\u200clage', 'Auflage'],
  ['soft\u00adhyphen', 'softhyphen'],
  ['\u200fשלום\u200f', 'שלום'],
  ['\u3164Ana\u3164', 'Ana'],
  ['👩\u200d\u200d💻', '👩💻'],
  ['Ana\ufe0f', 'Ana'],
  ['Jose\u0301', 'José'],
  ['Jose\u034f\u0301', 'José'],
  ['⠓⠑\u2800⠺', '⠓⠑ ⠺'],
])('"%s" becomes "%s"', (text, clean) => {
  expect(line(text)).toBe(clean);
  // Cleaning what is clean changes nothing.
  expect(line(clean)).toBe(clean);
});

test('marks that leave the line are refused to people and taken from what others vouch for', () => {
  expect(() => line(`Z${'\u0300\u0489'.repeat(5)}algo`)).toThrow(/marks/);
  expect(() => line(`न${'\u093c'.repeat(12)}`)).toThrow(/marks/);
  expect(toLine(`Z${'\u0300'.repeat(50)}algo`, 64)).toBe(`Z${'\u0300'.repeat(4)}algo`);
});

test('a length is counted in code points of the clean text', () => {
  expect(line('🙂'.repeat(64))).toHaveLength(128);
  expect(line(`  ${'x'.repeat(64)}\u200b `)).toBe('x'.repeat(64));
  expect(() => line('🙂'.repeat(65))).toThrow(expect.objectContaining({ code: 'invalid' }));
  expect(() => requireLine('xxx', '/name', { max: 2, tooLong: 'too_large' })).toThrow(
    expect.objectContaining({ code: 'too_large', errors: [{ path: '/name', message: 'at most 2 characters' }] }),
  );
});

test('what others vouch for is mended: controls become spaces, and it is cut between characters', () => {
  expect(toLine('a\r\n\tBcc: x\u202e \ud800', 64)).toBe('a Bcc: x \ufffd');
  expect(toLine(`${'x'.repeat(60)}👨‍👩‍👧‍👦`, 64)).toBe('x'.repeat(60));
  expect(toLine('\u202e\r\n', 64)).toBeUndefined();
});

test('a field that may be left out is left out by a blank text', () => {
  expect(readLine(undefined, '/note', { max: 5 })).toBeUndefined();
  expect(readLine(' \n ', '/note', { max: 5 })).toBeUndefined();
  expect(readLine(' a ', '/note', { max: 5 })).toBe('a');
  expect(() => readLine('\u3164', '/note', { max: 5 })).toThrow(/visible/);
});

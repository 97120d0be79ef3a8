import { expect, test } from 'vitest';
import { createPieceReader, type PieceFormat } from './piece-reader.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

/** Everything that a body brings, read a few bytes at a time. */
function readAll(format: PieceFormat, body: string, size: number) {
  const reader = createPieceReader(format, 1000);
  const whole = bytes(body);
  let text = '';
  for (let at = 0; at < whole.length; at += size) {
    const pieces = reader.push(whole.subarray(at, at + size));
    text += pieces.text;
    if (pieces.finish) return { text, finish: pieces.finish };
  }
  const last = reader.end();
  return { text: text + last.text, finish: last.finish };
}

test('NDJSON is read however the bytes are cut, with characters of several bytes', () => {
  const body = '{"text":"Grüße "}\r\n\n{"text":"an 𝒳"}\n{"text":"!"}';
  for (const size of [1, 2, 3, 7, 100])
    expect(readAll('application/x-ndjson', body, size)).toEqual({ text: 'Grüße an 𝒳!', finish: undefined });
});

test('an event stream ends with [DONE], and its other lines say nothing', () => {
  const body =
    ': hello\nevent: delta\nid: 1\ndata: {"text":"one "}\n\ndata:{"text":"two"}\n\ndata: [DONE]\n\ndata: {"text":"x"}\n';
  for (const size of [1, 5, 1000])
    expect(readAll('text/event-stream', body, size)).toEqual({ text: 'one two', finish: {} });
});

test('the last record may give the whole text', () => {
  const body = '{"text":"draft"}\n{"finish":{"text":"final"}}\n';
  expect(readAll('application/x-ndjson', body, 4)).toEqual({ text: 'draft', finish: { text: 'final' } });
});

test.each([
  ['not JSON', 'hello\n'],
  ['a text that is none', '{"text":5}\n'],
  ['a field that nobody knows', '{"text":"x","html":"<b>"}\n'],
  ['null', 'null\n'],
  ['a line that is too long', `{"text":"${'x'.repeat(2000)}`],
])('%s is refused', (_name, body) => {
  expect(() => readAll('application/x-ndjson', body, 64)).toThrow();
});

test('bytes that are not UTF-8 are refused', () => {
  const reader = createPieceReader('application/x-ndjson', 100);
  expect(() => reader.push(new Uint8Array([0xff, 0xfe]))).toThrow('not UTF-8');
});

import { expect, test } from 'vitest';
import { frameText } from '../socket/frame-codec.ts';
import { readCursor, StreamCursor, writeCursor } from './event-stream-cursor.ts';
import { readPayloads } from './event-stream-socket.ts';

test('a cursor names where each room is, and goes on from the one before', () => {
  const cursor = new StreamCursor(readCursor(writeCursor({ logId: 'old', rooms: { a: 3, b: 9 } })));
  expect(cursor.text()).toBeUndefined();
  cursor.take({
    type: 'welcome',
    logId: 'log',
    rooms: [
      { id: 'a', seq: 8 },
      { id: 'c', seq: 2 },
    ],
  });
  // What was missed of `a` is still to come.
  expect(readCursor(cursor.text()!)).toEqual({ logId: 'log', rooms: { a: 3, b: 9, c: 2 } });
  cursor.take({ type: 'message.created', roomId: 'a', seq: 4 });
  cursor.take({ type: 'room.left', roomId: 'b' });
  cursor.take({ type: 'room.reset', roomId: 'c', seq: 7 });
  expect(cursor.take({ type: 'typing', roomId: 'a' })).toBe(false);
  expect(readCursor(cursor.text()!)).toEqual({ logId: 'log', rooms: { a: 4, c: 7 } });
});

test('a text that is no cursor is none', () => {
  for (const text of ['', '17', 'bm90IGpzb24', Buffer.from('{"logId":3}').toString('base64url')])
    expect(readCursor(text)).toBeUndefined();
});

test('the texts of frames of each length are read, several from one write', () => {
  const texts = ['{}', 'ä'.repeat(100), 'x'.repeat(70_000), '{"last":true}'];
  expect(readPayloads(Buffer.concat(texts.map(frameText)))).toEqual(texts);
  expect(readPayloads(Buffer.alloc(0))).toEqual([]);
});

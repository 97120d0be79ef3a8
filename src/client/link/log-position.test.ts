import { expect, test } from 'vitest';
import { createLogPosition } from './log-position.ts';

const event = (roomId: string, seq: number) => ({ type: 'message.created', roomId, seq, at: '', data: {} });
const room = (id: string, seq: number, readableFrom = 1) => ({
  id,
  seq,
  readableFrom,
  name: id,
  kind: 'room' as const,
  lastReadSeq: 0,
  unread: 0,
  mentions: 0,
  readVersion: 0,
});

test('an event is taken once, and one that leaves others out is a gap', () => {
  const position = createLogPosition();
  position.welcome('log', [room('r', 5)]);
  expect([5, 6, 6, 8, 7, 8].map((seq) => position.take(event('r', seq)))).toEqual([
    'known',
    'next',
    'known',
    'gap',
    'next',
    'next',
  ]);
});

test('the next hello resumes each room after its last event', () => {
  const position = createLogPosition();
  expect(position.resume()).toBeUndefined();
  position.welcome('log', [room('one', 5), room('two', 9)]);
  position.take(event('one', 6));
  expect(position.resume()).toEqual({ logId: 'log', rooms: { two: 9, one: 6 } });
  position.leave('two');
  expect(position.resume()).toEqual({ logId: 'log', rooms: { one: 6 } });
  position.clear();
  expect(position.resume()).toBeUndefined();
});

test('a hello names the hundred rooms with the newest events, and the others are reset when they have moved on', () => {
  const position = createLogPosition();
  const rooms = Array.from({ length: 102 }, (_, index) => room(`r${index}`, 1));
  position.welcome('log', rooms);
  position.take(event('r0', 2));
  expect(Object.keys(position.resume()!.rooms)).not.toContain('r1');
  expect(Object.keys(position.resume()!.rooms)).toContain('r0');
  const moved = rooms.map(({ id }) => room(id, 3));
  expect(position.welcome('log', moved)).toEqual([
    { roomId: 'r1', seq: 3 },
    { roomId: 'r2', seq: 3 },
  ]);
});

test('a room that was left and joined again is reset to where it may be read', () => {
  const position = createLogPosition();
  position.welcome('log', [room('r', 5)]);
  position.resume();
  expect(position.welcome('log', [room('r', 12, 11)])).toEqual([{ roomId: 'r', seq: 10 }]);
  expect(position.take(event('r', 11))).toBe('next');
});

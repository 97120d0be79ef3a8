import { expect, test } from 'vitest';
import { Failure } from '../../errors.ts';
import { createTypingRates } from './typing-rates.ts';

const settings = { typingPerSecond: 1, roomsPerSocket: 2 };

test('starting and stopping at once is one act; a third frame in the same second is refused', () => {
  const require = createTypingRates(settings);
  const connection = {};
  require(connection, 'a', 1000);
  require(connection, 'a', 1000);
  expect(() => require(connection, 'a', 1000)).toThrow(Failure);
  expect(() => require(connection, 'a', 2100)).not.toThrow();
});

test('each room and each connection has a rate of its own', () => {
  const require = createTypingRates(settings);
  const first = {};
  require(first, 'a', 0);
  require(first, 'a', 0);
  expect(() => require(first, 'b', 0)).not.toThrow();
  expect(() => require({}, 'a', 0)).not.toThrow();
});

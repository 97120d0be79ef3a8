import { expect, test } from 'vitest';
import { FrameLimits } from './frame-limits.ts';

const limits = () =>
  new FrameLimits({
    badFramesPerMinute: 2,
    messagesPerSecond: 1,
    messagesBurst: 1,
    framesPerSecond: 2,
    framesBurst: 3,
    closeAfter: 1,
  });

test('an id may be used again only after 256 others', () => {
  const own = limits();
  own.rememberId('first');
  expect(() => own.rememberId('first')).toThrow(/used before/);
  for (let id = 0; id < 256; id++) own.rememberId(id);
  expect(() => own.rememberId('first')).not.toThrow();
});

test('messages have a rate of their own within that of all frames', () => {
  const own = limits();
  expect(own.takeFrame('message.send', 0)).toBe(0);
  expect(own.takeFrame('message.send', 0)).toBeGreaterThan(0);
  expect(own.takeFrame('typing', 0)).toBe(0);
  expect(own.takeFrame('typing', 0)).toBeGreaterThan(0);
  expect(own.takeFrame('typing', 1000)).toBe(0);
});

test('control frames are counted apart from the others', () => {
  const own = limits();
  expect([1, 2, 3, 4].map(() => own.takeControl(0))).toEqual([true, true, true, false]);
  expect(own.takeFrame('typing', 0)).toBe(0);
});

test('bad and refused frames are counted by the minute', () => {
  const own = limits();
  expect([own.countBad(0), own.countBad(0), own.countBad(0)]).toEqual([false, false, true]);
  expect([own.countRefused(0), own.countRefused(0)]).toEqual([false, true]);
  expect([own.countBad(60_000), own.countRefused(60_000)]).toEqual([false, false]);
});

import { expect, test } from 'vitest';
import { createSerial } from './serial.ts';

test('works of one key run one after another, and a failure does not stop those behind it', async () => {
  const serial = createSerial();
  const log: string[] = [];
  const slow = Promise.withResolvers<void>();
  const first = serial('a', async () => {
    await slow.promise;
    log.push('first');
    throw new Error('broken');
  });
  const second = serial('a', async () => log.push('second'));
  await serial('b', async () => log.push('other key'));
  slow.resolve();
  await expect(first).rejects.toThrow('broken');
  await second;
  expect(log).toEqual(['other key', 'first', 'second']);
  await serial('a', async () => log.push('third'));
  expect(log.at(-1)).toBe('third');
});

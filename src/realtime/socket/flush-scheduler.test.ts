import { expect, test } from 'vitest';
import { createFlushScheduler, type TickWork } from './flush-scheduler.ts';

const nextTick = () => new Promise(setImmediate);

test('the wait of an event is reported in the tick that reaches its last reader, whatever else goes on', async () => {
  const reported: number[] = [];
  const scheduler = createFlushScheduler((seconds) => reported.push(seconds));
  const ago = (seconds: number) => performance.now() - seconds * 1000;
  let left = 5;
  const large: TickWork = () => (--left > 0 ? large : undefined);
  scheduler.beforeWrite(large, ago(1000));
  for (const seconds of [10, 20]) {
    scheduler.beforeWrite(() => undefined, ago(seconds));
    await nextTick();
  }
  expect(reported.map(Math.floor)).toEqual([10, 20]);
  await expect.poll(() => left).toBe(0);
  await nextTick();
  expect(reported.map(Math.floor)).toEqual([10, 20, 1000]);
});

test('nothing is written while a guard holds, and everything that waited is written afterwards', async () => {
  const order: string[] = [];
  let release = () => {};
  const scheduler = createFlushScheduler(() => {});
  scheduler.guardBy(() => {
    scheduler.guardBy(() => {});
    scheduler.holdUntil(
      new Promise<void>((resolve) => {
        release = resolve;
      }),
    );
  });
  scheduler.touch({ flush: () => order.push('first') });
  await nextTick();
  scheduler.beforeWrite(() => {
    order.push('work');
    return undefined;
  }, performance.now());
  scheduler.touch({ flush: () => order.push('second') });
  await nextTick();
  expect(order).toEqual([]);
  release();
  await expect.poll(() => order).toEqual(['work', 'first', 'second']);
});

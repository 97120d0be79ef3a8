import { expect, test } from 'vitest';
import { createFlushScheduler, type TurnWork } from './flush-scheduler.ts';

test('the wait of an event is told in the turn that reaches its last reader, whatever else goes on', async () => {
  const told: number[] = [];
  const turn = createFlushScheduler((seconds) => told.push(seconds));
  const nextTurn = () => new Promise(setImmediate);
  const ago = (seconds: number) => performance.now() - seconds * 1000;
  let left = 5;
  const large: TurnWork = () => (--left > 0 ? large : undefined);
  turn.beforeWrite(large, ago(1000));
  for (const seconds of [10, 20]) {
    turn.beforeWrite(() => undefined, ago(seconds));
    await nextTurn();
  }
  expect(told.map(Math.floor)).toEqual([10, 20]);
  await expect.poll(() => left).toBe(0);
  await nextTurn();
  expect(told.map(Math.floor)).toEqual([10, 20, 1000]);
});

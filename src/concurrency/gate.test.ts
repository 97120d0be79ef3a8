import { setImmediate as nextTick, setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createGate } from './gate.ts';

test('at most `max` callers are inside, and the others follow in the order in which they came', async () => {
  const gate = createGate({ max: 2 });
  const order: string[] = [];
  const leaves = new Map<string, () => void>();
  for (const name of ['a', 'b', 'c', 'd']) {
    void gate.enter().then((leave) => {
      order.push(name);
      leaves.set(name, leave);
    });
  }
  await nextTick();
  expect(order).toEqual(['a', 'b']);
  expect(gate.waiting()).toBe(2);
  leaves.get('b')!();
  await nextTick();
  expect(order).toEqual(['a', 'b', 'c']);
  leaves.get('a')!();
  leaves.get('c')!();
  await nextTick();
  expect(order).toEqual(['a', 'b', 'c', 'd']);
});

test('leaving twice frees one place only', async () => {
  const gate = createGate({ max: 1 });
  const leave = await gate.enter();
  const second = gate.enter();
  leave();
  leave();
  await second;
  let third = false;
  void gate.enter().then(() => {
    third = true;
  });
  await nextTick();
  expect(third).toBe(false);
});

test('a caller starts in the same tick when there is a place', () => {
  const gate = createGate({ max: 1 });
  let started = 0;
  const start = () => {
    started += 1;
  };
  gate.pass(start, () => {});
  gate.pass(start, () => {});
  expect(started).toBe(1);
  gate.leave();
  expect(started).toBe(2);
});

test('a full queue refuses at once, and work that fails leaves the gate', async () => {
  const gate = createGate({ max: 1, queueMax: 1, refusal: (why) => new Error(why) });
  let fail = (_error: Error) => {};
  const first = gate.run(
    () =>
      new Promise((_resolve, reject) => {
        fail = reject;
      }),
  );
  const second = gate.run(async () => 'second');
  expect(gate.isFull()).toBe(true);
  await expect(gate.enter()).rejects.toThrow('full');
  fail(new Error('broken'));
  await expect(first).rejects.toThrow('broken');
  expect(await second).toBe('second');
});

test('a caller that waited for too long is refused, and the next one takes the place', async () => {
  const counts: number[] = [];
  const gate = createGate({
    max: 1,
    waitMaxMs: 5,
    refusal: (why) => new Error(why),
    onWaiting: (count) => counts.push(count),
  });
  const leave = await gate.enter();
  const late = expect(gate.enter()).rejects.toThrow('late');
  await pause(20);
  const next = gate.enter();
  leave();
  await late;
  await next;
  expect(counts).toEqual([1, 2, 1, 0]);
});

test('callers that waited for too long are refused without anybody leaving', async () => {
  const gate = createGate({ max: 1, waitMaxMs: 5, refusal: (why) => new Error(why) });
  await gate.enter();
  const late = expect(gate.enter()).rejects.toThrow('late');
  await pause(20);
  gate.expire();
  await late;
  expect(gate.waiting()).toBe(0);
});

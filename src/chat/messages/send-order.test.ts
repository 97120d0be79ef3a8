import { expect, test } from 'vitest';
import { SendOrder } from './send-order.ts';

/** A message whose preparation ends when the test says so. */
function message(order: SendOrder, committed: string[], room: string, name: string) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const answer = order.run(
    room,
    () => promise,
    async (prepared) => {
      committed.push(prepared);
      return `${prepared} stored`;
    },
  );
  return { answer, ready: () => resolve(name), refuse: () => reject(new Error(`${name} refused`)) };
}

test('what is prepared first waits for what came first in its room, and for nothing in another room', async () => {
  const [order, committed] = [new SendOrder(), [] as string[]];
  const first = message(order, committed, 'room', 'first');
  const second = message(order, committed, 'room', 'second');
  const third = message(order, committed, 'room', 'third');
  const elsewhere = message(order, committed, 'other room', 'elsewhere');
  third.ready();
  second.ready();
  elsewhere.ready();
  expect(await elsewhere.answer).toBe('elsewhere stored');
  expect(committed).toEqual(['elsewhere']);
  first.ready();
  expect(await Promise.all([first.answer, second.answer, third.answer])).toEqual([
    'first stored',
    'second stored',
    'third stored',
  ]);
  expect(committed).toEqual(['elsewhere', 'first', 'second', 'third']);
});

test('one that is refused holds up nobody, wherever it stands', async () => {
  const [order, committed] = [new SendOrder(), [] as string[]];
  const [first, second, third] = ['first', 'second', 'third'].map((name) => message(order, committed, 'room', name));
  third!.ready();
  second!.refuse();
  await expect(second!.answer).rejects.toThrow('second refused');
  expect(committed).toEqual([]);
  first!.refuse();
  await expect(first!.answer).rejects.toThrow('first refused');
  expect(await third!.answer).toBe('third stored');
});

test('the next one is committed while the one before it is still being stored', async () => {
  const order = new SendOrder();
  const { promise: stored, resolve: storeFirst } = Promise.withResolvers<string>();
  const prepared = async () => undefined;
  const first = order.run('room', prepared, () => stored);
  const second = order.run('room', prepared, async () => 'second');
  expect(await second).toBe('second');
  storeFirst('first');
  expect(await first).toBe('first');
});

test('what is behind one whose connection has gone is refused with it, prepared or not', async () => {
  const [order, committed] = [new SendOrder(), [] as string[]];
  const [first, second, third] = ['first', 'second', 'third'].map((name) => message(order, committed, 'room', name));
  second!.ready();
  order.abandon(new Error('nobody waits'));
  first!.refuse();
  await expect(first!.answer).rejects.toThrow('first refused');
  await expect(second!.answer).rejects.toThrow('nobody waits');
  third!.ready();
  await expect(third!.answer).rejects.toThrow('nobody waits');
  expect(committed).toEqual([]);
});

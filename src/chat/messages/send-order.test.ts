import { expect, test } from 'vitest';
import { SendOrder } from './send-order.ts';

/** A send whose preparation ends when the test says so. */
function send(order: SendOrder, committed: string[], room: string, name: string) {
  const { promise: prepared, resolve, reject } = Promise.withResolvers<void>();
  async function run(): Promise<string> {
    const place = order.enter(room);
    try {
      await prepared;
      await place.untilFirst();
      committed.push(name);
      return `${name} stored`;
    } finally {
      place.leave();
    }
  }
  return { answer: run(), ready: () => resolve(), refuse: () => reject(new Error(`${name} refused`)) };
}

test('a send waits for earlier sends to its room, and not for those to other rooms', async () => {
  const [order, committed] = [new SendOrder(), [] as string[]];
  const first = send(order, committed, 'room', 'first');
  const second = send(order, committed, 'room', 'second');
  const third = send(order, committed, 'room', 'third');
  const elsewhere = send(order, committed, 'other room', 'elsewhere');
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

test('a refused send blocks no other send, wherever it stands', async () => {
  const [order, committed] = [new SendOrder(), [] as string[]];
  const [first, second, third] = ['first', 'second', 'third'].map((name) => send(order, committed, 'room', name));
  third!.ready();
  second!.refuse();
  await expect(second!.answer).rejects.toThrow('second refused');
  expect(committed).toEqual([]);
  first!.refuse();
  await expect(first!.answer).rejects.toThrow('first refused');
  expect(await third!.answer).toBe('third stored');
});

test('leaving without waiting for the commit lets the next send join the same batch', async () => {
  const order = new SendOrder();
  const first = order.enter('room');
  const second = order.enter('room');
  await first.untilFirst();
  first.leave();
  await second.untilFirst();
});

test('once a send was refused because the client is gone, later sends are refused, prepared or not', async () => {
  const [order, committed] = [new SendOrder(), [] as string[]];
  const [first, second, third] = ['first', 'second', 'third'].map((name) => send(order, committed, 'room', name));
  second!.ready();
  order.abandon(new Error('client gone'));
  first!.refuse();
  await expect(first!.answer).rejects.toThrow('first refused');
  await expect(second!.answer).rejects.toThrow('client gone');
  third!.ready();
  await expect(third!.answer).rejects.toThrow('client gone');
  expect(committed).toEqual([]);
});

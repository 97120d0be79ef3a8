import { expect, onTestFinished, test, vi } from 'vitest';
import { queuedSend, roomFeed } from '../../../test/harness/room-fixture.ts';
import type { QueuedTransaction } from './queued-send.ts';
import { createRoomQueues, type Portion } from './room-queues.ts';

function startQueues(settings: { batchMax?: number; perRoomMax?: number; sendQueueMax?: number } = {}) {
  const onReady = vi.fn();
  const queues = createRoomQueues({ batchMax: 10, perRoomMax: 100, sendQueueMax: 100, ...settings }, onReady);
  onTestFinished(queues.stop);
  return { queues, onReady };
}

const keys = (portions: readonly Portion[]) => portions.map(({ sends }) => sends.map(({ clientId }) => clientId));

test('a batch takes the front of every room’s queue, in order', () => {
  const { queues, onReady } = startQueues();
  const [a, b] = [roomFeed('a'), roomFeed('b')];
  for (const clientId of ['1', '2']) queues.push(a, queuedSend(a, { clientId }).send);
  queues.push(b, queuedSend(b, { clientId: '3' }).send);
  expect(onReady).toHaveBeenCalledTimes(2);
  expect(keys(queues.takeBatch())).toEqual([['1', '2'], ['3']]);
  expect(queues.waiting()).toBe(0);
});

test('a room is in one batch at a time, and what was put back goes first', () => {
  const { queues } = startQueues();
  const feed = roomFeed();
  queues.push(feed, queuedSend(feed, { clientId: '1' }).send);
  const [portion] = queues.takeBatch();
  queues.push(feed, queuedSend(feed, { clientId: '2' }).send);
  expect(queues.hasReady()).toBe(false);
  queues.putBack(portion!.queue, portion!.sends);
  expect(keys(queues.takeBatch())).toEqual([['1', '2']]);
});

test('a repeated key waits for the outcome of the first one', () => {
  const { queues } = startQueues();
  const feed = roomFeed();
  for (const clientId of ['1', '2', '1', '3']) queues.push(feed, queuedSend(feed, { clientId }).send);
  const [portion] = queues.takeBatch();
  expect(keys([portion!])).toEqual([['1', '2']]);
  queues.release(portion!.queue);
  expect(keys(queues.takeBatch())).toEqual([['1', '3']]);
});

test('while several rooms wait, one room gets half of a batch at most', () => {
  const { queues } = startQueues({ batchMax: 4 });
  const [loud, quiet] = [roomFeed('loud'), roomFeed('quiet')];
  for (const clientId of ['1', '2', '3', '4', '5']) queues.push(loud, queuedSend(loud, { clientId }).send);
  queues.push(quiet, queuedSend(quiet, { clientId: '6' }).send);
  expect(keys(queues.takeBatch())).toEqual([['1', '2'], ['6']]);
});

test('a transaction runs alone in its room: messages behind it wait until it is done', async () => {
  const { queues } = startQueues();
  const feed = roomFeed();
  const done = Promise.withResolvers<void>();
  const run = vi.fn(() => done.promise);
  const transaction: QueuedTransaction = { kind: 'transaction', deadlineMs: Number.MAX_VALUE, run, reject: vi.fn() };
  queues.push(feed, queuedSend(feed, { clientId: '1' }).send);
  queues.push(feed, transaction);
  queues.push(feed, queuedSend(feed, { clientId: '2' }).send);
  const [before] = queues.takeBatch();
  expect(keys([before!])).toEqual([['1']]);
  queues.release(before!.queue);
  expect(queues.takeBatch()).toEqual([]);
  expect(run).toHaveBeenCalledOnce();
  expect(queues.hasReady()).toBe(false);
  done.resolve();
  await expect.poll(queues.hasReady).toBe(true);
  expect(keys(queues.takeBatch())).toEqual([['2']]);
});

test('work beyond the bounds is refused with unavailable', () => {
  const { queues } = startQueues({ perRoomMax: 1, sendQueueMax: 2 });
  const [a, b, c] = [roomFeed('a'), roomFeed('b'), roomFeed('c')];
  queues.push(a, queuedSend(a).send);
  expect(() => queues.push(a, queuedSend(a, { clientId: '2' }).send)).toThrow('too many messages are waiting');
  queues.push(b, queuedSend(b).send);
  expect(() => queues.push(c, queuedSend(c).send)).toThrow('too many messages are waiting');
});

test('work past its deadline is refused: for certain if it was never in flight', async () => {
  const { queues } = startQueues();
  const feed = roomFeed();
  const fresh = queuedSend(feed, { clientId: '1', deadlineMs: 0 });
  const tried = queuedSend(feed, { clientId: '2', deadlineMs: 0, maybeStored: true });
  queues.push(feed, fresh.send);
  queues.push(feed, tried.send);
  await expect.poll(() => [fresh.answers, tried.answers]).toEqual([['unavailable'], ['outcome_unknown']]);
  await queues.idle();
  expect(feed.pins).toBe(0);
});

test('a feed is pinned while its room has work, and idle resolves when none is left', async () => {
  const { queues } = startQueues();
  const feed = roomFeed();
  queues.push(feed, queuedSend(feed).send);
  expect(feed.pins).toBe(1);
  const idle = queues.idle();
  const [portion] = queues.takeBatch();
  queues.release(portion!.queue);
  await idle;
  expect(feed.pins).toBe(0);
});

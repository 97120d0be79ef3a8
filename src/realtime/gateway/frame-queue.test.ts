import { setImmediate as nextTick } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Connection } from '../socket/connection.ts';
import type { FrameWork } from './frame-deadlines.ts';
import { FrameQueue } from './frame-queue.ts';

/** A queue whose frames are ended by hand. */
function startQueue(inFlightMax: number) {
  const calls: string[] = [];
  const connection = {
    state: 'live',
    socket: { pause: () => calls.push('pause'), resume: () => calls.push('resume') },
  } as unknown as Connection;
  const waiting = new Set<FrameWork>();
  const running: (() => void)[] = [];
  const queue = new FrameQueue({
    connection,
    inFlightMax,
    deadlines: { end: (work) => waiting.delete(work), isWaiting: (work) => waiting.has(work) },
    run: () => new Promise((resolve) => running.push(resolve)),
  });
  const add = (): FrameWork => {
    const work = { begun: false } as FrameWork;
    waiting.add(work);
    queue.add(work);
    return work;
  };
  const end = async (at: number) => {
    running[at]!();
    await nextTick();
  };
  return { queue, calls, waiting, add, end, started: () => running.length };
}

test('the socket is not read while as many frames are in flight as may be', async () => {
  const { calls, add, end, started } = startQueue(2);
  add();
  expect(calls).toEqual([]);
  add();
  add();
  expect(calls).toEqual(['pause']);
  expect(started()).toBe(2);
  await end(0);
  expect(started()).toBe(3);
  await end(1);
  expect(calls).toEqual(['pause', 'pause', 'resume']);
});

test('a frame that was answered while it waited is not run', async () => {
  const { waiting, add, end, started } = startQueue(1);
  add();
  const late = add();
  const next = add();
  waiting.delete(late);
  await end(0);
  expect([late.begun, next.begun, started()]).toEqual([false, true, 2]);
});

test('a retiring connection is closed when its last frame is answered, and reads nothing until then', async () => {
  const { queue, calls, add, end } = startQueue(5);
  add();
  queue.retire(() => calls.push('close'));
  expect(calls).toEqual(['pause']);
  await end(0);
  expect(calls).toEqual(['pause', 'close', 'resume']);
});

test('frames of a connection that is gone do not begin', () => {
  const { queue, waiting, add } = startQueue(1);
  const first = add();
  add();
  queue.clear();
  expect([...waiting]).toEqual([first]);
});

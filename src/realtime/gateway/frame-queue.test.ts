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
  let started = 0;
  const queue = new FrameQueue({
    connection,
    inFlightMax,
    deadlines: { end: (work) => waiting.delete(work), isWaiting: (work) => waiting.has(work) },
    start: () => {
      started += 1;
    },
  });
  const add = (): FrameWork => {
    const work = { begun: false } as FrameWork;
    waiting.add(work);
    queue.add(work);
    return work;
  };
  return { queue, calls, waiting, add, started: () => started };
}

test('the socket is not read while as many frames are in flight as may be', () => {
  const { queue, calls, add, started } = startQueue(2);
  add();
  expect(calls).toEqual([]);
  add();
  add();
  expect(calls).toEqual(['pause']);
  expect(started()).toBe(2);
  queue.end();
  expect(started()).toBe(3);
  queue.end();
  expect(calls).toEqual(['pause', 'pause', 'resume']);
});

test('a frame that was answered while it waited is not run', () => {
  const { queue, waiting, add, started } = startQueue(1);
  add();
  const late = add();
  const next = add();
  waiting.delete(late);
  queue.end();
  expect([late.begun, next.begun, started()]).toEqual([false, true, 2]);
});

test('a retiring connection is closed when its last frame is answered, and reads nothing until then', () => {
  const { queue, calls, add } = startQueue(5);
  add();
  queue.retire(() => calls.push('close'));
  expect(calls).toEqual(['pause']);
  queue.end();
  expect(calls).toEqual(['pause', 'close', 'resume']);
});

test('frames of a connection that is gone do not begin', () => {
  const { queue, waiting, add } = startQueue(1);
  const first = add();
  add();
  queue.clear();
  expect([...waiting]).toEqual([first]);
});

import { setImmediate as nextTick } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { startPoller } from './poller.ts';

function startWork(everyMs = 60_000) {
  const runs: { readonly end: () => void; readonly fail: (error: Error) => void }[] = [];
  const errors: unknown[] = [];
  const poller = startPoller({
    work: () => new Promise<void>((resolve, reject) => runs.push({ end: resolve, fail: reject })),
    everyMs,
    onError: (error) => errors.push(error),
  });
  onTestFinished(poller.stop);
  return { poller, runs, errors };
}

test('a run that is wanted during another one is left out, unless it is wanted surely', async () => {
  const { poller, runs } = startWork();
  poller.ifIdle();
  poller.ifIdle();
  runs[0]!.end();
  await poller.settled();
  expect(runs).toHaveLength(1);
  poller.ifIdle();
  poller.surely();
  poller.surely();
  expect(runs).toHaveLength(2);
  runs[1]!.end();
  await expect.poll(() => runs.length).toBe(3);
  runs[2]!.end();
  await poller.settled();
  expect(runs).toHaveLength(3);
});

test('the work repeats by itself, a failed run included, and never twice at once', async () => {
  const { poller, runs, errors } = startWork(1);
  await expect.poll(() => runs.length).toBe(1);
  runs[0]!.fail(new Error('gone'));
  await expect.poll(() => runs.length).toBe(2);
  expect(errors).toEqual([new Error('gone')]);
  poller.stop();
});

test('a stopped poller begins no run, and says when the last one has ended', async () => {
  const { poller, runs } = startWork();
  poller.surely();
  poller.surely();
  poller.stop();
  let isSettled = false;
  const settled = poller.settled().then(() => {
    isSettled = true;
  });
  await nextTick();
  expect(isSettled).toBe(false);
  runs[0]!.end();
  await settled;
  poller.surely();
  expect(runs).toHaveLength(1);
});

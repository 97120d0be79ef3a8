import { expect, test } from 'vitest';
import { createSingleFlight } from './single-flight.ts';

/** Work that ends by hand; each run answers with its number. */
function startFlight() {
  const runs: { readonly end: () => void; readonly fail: (error: Error) => void }[] = [];
  const flight = createSingleFlight(
    () => new Promise<number>((resolve, reject) => runs.push({ end: () => resolve(runs.length), fail: reject })),
  );
  return { flight, runs };
}

test('callers that come during a run share it, and the next caller starts another', async () => {
  const { flight, runs } = startFlight();
  const both = Promise.all([flight.share(), flight.share()]);
  expect(flight.isRunning()).toBe(true);
  runs[0]!.end();
  expect(await both).toEqual([1, 1]);
  expect(flight.isRunning()).toBe(false);
  const later = flight.share();
  runs[1]!.end();
  expect(await later).toBe(2);
});

test('a fresh run begins after the call, and is shared by all that wait for it', async () => {
  const { flight, runs } = startFlight();
  const first = flight.share();
  const fresh = Promise.all([flight.fresh(), flight.fresh()]);
  expect(runs).toHaveLength(1);
  runs[0]!.end();
  await first;
  await expect.poll(() => runs.length).toBe(2);
  runs[1]!.end();
  expect(await fresh).toEqual([2, 2]);
});

test('a failed run fails for all that share it, and does not keep a fresh one from starting', async () => {
  const { flight, runs } = startFlight();
  const shared = Promise.allSettled([flight.share(), flight.share()]);
  const fresh = flight.fresh();
  const settled = flight.settled();
  runs[0]!.fail(new Error('gone'));
  expect((await shared).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await settled;
  await expect.poll(() => runs.length).toBe(2);
  runs[1]!.end();
  expect(await fresh).toBe(2);
});

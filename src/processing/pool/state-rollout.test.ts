import { expect, test } from 'vitest';
import { createStateRollout } from './state-rollout.ts';
import { createSuspects } from './suspects.ts';

interface State {
  readonly rules: string;
  readonly weights: string;
}

/** A thread that records the changes it was sent, and refuses rules named `bad`. */
function fakeThread() {
  const received: Partial<State>[] = [];
  return {
    received,
    reload: async (changes: Partial<State>) => {
      received.push(changes);
      if (changes.rules === 'bad') throw new Error('bad rules');
    },
  };
}

function start(threadCount: number) {
  const threads = Array.from({ length: threadCount }, fakeThread);
  let isStopped = false;
  const rollout = createStateRollout<State>({
    state: { rules: 'old', weights: 'w' },
    threads,
    isStopped: () => isStopped,
    onChange: () => {},
  });
  const stop = (): void => {
    isStopped = true;
  };
  return { threads, rollout, stop };
}

test('only the parts that changed go to the threads', async () => {
  const { threads, rollout } = start(2);
  await rollout.reload({ rules: 'new', weights: 'w' });
  expect(threads.map(({ received }) => received)).toEqual([[{ rules: 'new' }], [{ rules: 'new' }]]);
  expect(rollout.current()).toEqual({ state: { rules: 'new', weights: 'w' }, stateVersion: 1 });
});

test('a state that a thread refuses is taken back from those that have it', async () => {
  const { threads, rollout } = start(2);
  threads[0]!.reload = async (changes) => void threads[0]!.received.push(changes);
  await expect(rollout.reload({ rules: 'bad', weights: 'w' })).rejects.toThrow('bad rules');
  expect(threads[0]!.received).toEqual([{ rules: 'bad' }, { rules: 'old' }]);
  expect(rollout.current().state.rules).toBe('old');
});

test('states are applied in the order of the calls, also after a refusal', async () => {
  const { threads, rollout } = start(1);
  const refused = rollout.reload({ rules: 'bad', weights: 'w' });
  const applied = rollout.reload({ rules: 'new', weights: 'v' });
  await expect(refused).rejects.toThrow('bad rules');
  await applied;
  expect(threads[0]!.received).toEqual([{ rules: 'bad' }, { rules: 'new', weights: 'v' }]);
});

test('nothing is sent once the pool is stopped', async () => {
  const { threads, rollout, stop } = start(1);
  stop();
  await rollout.reload({ rules: 'new', weights: 'w' });
  expect(threads[0]!.received).toEqual([]);
});

test('a suspect is run alone once, and not at all if its caller gave up', () => {
  const suspects = createSuspects<{ job: { settled: boolean } }>();
  const given = { job: { settled: false } };
  suspects.add({ job: { settled: true } });
  suspects.add(given);
  expect([suspects.isWaiting(), suspects.wasRunAlone(given)]).toEqual([true, false]);
  expect(suspects.take()).toBe(given);
  expect([suspects.isWaiting(), suspects.wasRunAlone(given)]).toEqual([false, true]);
});

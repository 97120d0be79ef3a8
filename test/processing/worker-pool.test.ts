import { expect, onTestFinished, test } from 'vitest';
import { startWorkerPool, type WorkerPoolSettings } from '../../src/processing/pool/worker-pool.ts';
import type { ScriptedState, ScriptedTask } from './scripted-worker.ts';

async function startPool(changes: Partial<WorkerPoolSettings> = {}) {
  const lost: string[] = [];
  const batches: number[] = [];
  const pool = await startWorkerPool<ScriptedTask, string, ScriptedState>({
    module: new URL('./scripted-worker.ts', import.meta.url),
    state: { greeting: 'hello' },
    weigh: (task) => task.name.length,
    settings: {
      threads: 1,
      spares: 1,
      queueMax: 1000,
      queueWeightMax: 100_000,
      batchMax: 16,
      itemTimeoutMs: 250,
      loadTimeoutMs: 10_000,
      heapMb: 64,
      ...changes,
    },
    events: { onBatch: (items) => batches.push(items), onLostThread: (reason) => lost.push(reason) },
  });
  onTestFinished(() => pool.stop());
  return { pool, lost, batches };
}

const well = (count: number, prefix = 'n'): ScriptedTask[] =>
  Array.from({ length: count }, (_, index) => ({ name: `${prefix}${index}`, behaviour: 'well' }));

test('outcomes are in the order of the items, and calls of one tick share a batch', async () => {
  const { pool, batches } = await startPool({ batchMax: 100 });
  const [first, second] = await Promise.all([pool.run(well(40)), pool.run(well(40, 'm'))]);
  expect(first.map((each) => each.ok && each.result)).toEqual(well(40).map(({ name }) => `hello ${name}`));
  expect(second.map((each) => each.ok && each.result)).toEqual(well(40, 'm').map(({ name }) => `hello ${name}`));
  expect(batches).toEqual([80]);
});

test('an item that never ends costs only itself', async () => {
  const { pool, lost } = await startPool();
  const tasks: ScriptedTask[] = [...well(5), { name: 'loop', behaviour: 'spins' }, ...well(5, 'm')];
  const outcomes = await pool.run(tasks);
  expect(outcomes[5]).toEqual({ ok: false, reason: 'overran', detail: 'overran' });
  expect(outcomes.filter((each) => each.ok)).toHaveLength(10);
  expect(lost).toEqual(['overran', 'overran']);
});

test('the spare thread serves other items while a suspect is run again', async () => {
  const { pool } = await startPool();
  let loopDone = false;
  const loop = pool.run([{ name: 'loop', behaviour: 'spins' }]).then((outcomes) => {
    loopDone = true;
    return outcomes;
  });
  const others = await pool.run(well(3));
  expect(others.every((each) => each.ok)).toBe(true);
  expect(loopDone).toBe(false);
  expect((await loop)[0]).toMatchObject({ ok: false, reason: 'overran' });
});

test('an item that hangs once is judged at the second try', async () => {
  const { pool, lost } = await startPool();
  const outcomes = await pool.run([{ name: 'shy', behaviour: 'spins-once', tries: new SharedArrayBuffer(4) }]);
  expect(outcomes).toEqual([{ ok: true, result: 'hello shy' }]);
  expect(lost).toEqual(['overran']);
});

test('an item that crashes its thread twice has the outcome crashed; one that throws costs no thread', async () => {
  const { pool, lost } = await startPool({ threads: 2, spares: 0 });
  const outcomes = await pool.run([
    { name: 'a', behaviour: 'exits' },
    { name: 'b', behaviour: 'throws' },
    { name: 'c', behaviour: 'well' },
  ]);
  expect(outcomes).toEqual([
    { ok: false, reason: 'crashed', detail: 'crashed' },
    { ok: false, reason: 'threw', detail: 'TypeError' },
    { ok: true, result: 'hello c' },
  ]);
  expect(lost).toEqual(['crashed', 'crashed']);
});

test('a suspect is run under constant load even with one thread and no spare', async () => {
  const { pool } = await startPool({ spares: 0 });
  let over = false;
  const load = (async () => {
    while (!over) await Promise.all([pool.run(well(16)), pool.run(well(16))]);
  })();
  const [outcome] = await pool.run([{ name: 'loop', behaviour: 'spins' }]);
  over = true;
  await load;
  expect(outcome).toMatchObject({ ok: false, reason: 'overran' });
});

test('a lost thread is replaced', async () => {
  const { pool, lost } = await startPool({ threads: 2, spares: 0 });
  await pool.run([{ name: 'a', behaviour: 'spins-once', tries: new SharedArrayBuffer(4) }]);
  expect(lost).toEqual(['overran']);
  await expect.poll(() => pool.stats().threadsReady, { interval: 5 }).toBe(2);
});

test('a full queue refuses at once, and accepted items are still done', async () => {
  const { pool } = await startPool({ queueMax: 100 });
  const accepted = [pool.run(well(60)), pool.run(well(40))];
  await expect(pool.run(well(1))).rejects.toMatchObject({ code: 'unavailable', retryAfterMs: 250 });
  expect((await Promise.all(accepted)).flat().filter((each) => each.ok)).toHaveLength(100);
  expect(pool.stats()).toMatchObject({ waiting: 0 });
  await pool.run(well(100));
});

test('a call past its deadline fails, frees its place in the queue, and does not delay others', async () => {
  const { pool } = await startPool({ spares: 0, queueMax: 50, batchMax: 4, itemTimeoutMs: 60_000 });
  const slow = pool.run([{ name: 'slow', behaviour: 'well', waitMs: 500 }]);
  await expect.poll(() => pool.stats().given, { interval: 1 }).toBe(1);
  const late = pool.run(well(40), { deadlineMs: 10 });
  await expect(late).rejects.toMatchObject({ code: 'request_timeout' });
  expect(pool.stats().waiting).toBe(0);
  expect(await slow).toEqual([{ ok: true, result: 'hello slow' }]);
  const controller = new AbortController();
  controller.abort();
  await expect(pool.run(well(1), { signal: controller.signal })).rejects.toMatchObject({ code: 'request_timeout' });
});

test('a reload reaches every thread and drops no work; a bad state is refused and not kept', async () => {
  const { pool, lost } = await startPool({ threads: 2 });
  const before = pool.run(well(200));
  await pool.reload({ greeting: 'good day' });
  expect((await before).every((each) => each.ok)).toBe(true);
  await expect(pool.reload({ greeting: 'broken' })).rejects.toThrow('cannot greet like that');
  const after = await pool.run(well(64));
  expect(new Set(after.map((each) => each.ok && each.result.split(' n')[0]))).toEqual(new Set(['good day']));
  // A thread born later has the last good state too.
  await pool.run([{ name: 'a', behaviour: 'exits' }]);
  await pool.run([{ name: 'a', behaviour: 'exits' }]);
  expect(lost.length).toBeGreaterThanOrEqual(4);
  expect(await pool.run(well(1))).toEqual([{ ok: true, result: 'good day n0' }]);
});

test('only the changed parts of a state are sent to the threads', async () => {
  const { pool } = await startPool({ threads: 2 });
  await pool.reload({ greeting: 'hello', ending: ' and well' });
  const [outcome] = await pool.run([{ name: 'n', behaviour: 'tells-changes' }]);
  expect(outcome).toEqual({ ok: true, result: 'ending' });
  expect(await pool.run(well(1))).toEqual([{ ok: true, result: 'hello n0 and well' }]);
});

test('while one thread applies a new state the others work on, the spare among them', async () => {
  const { pool } = await startPool();
  const applying = new SharedArrayBuffer(4);
  const over = new SharedArrayBuffer(4);
  const reloaded = pool.reload({ greeting: 'good day', waitFor: { applying, over } });
  await expect.poll(() => Atomics.load(new Int32Array(applying), 0), { interval: 1 }).toBe(1);
  expect((await pool.run(well(20))).every((each) => each.ok)).toBe(true);
  Atomics.store(new Int32Array(over), 0, 1);
  Atomics.notify(new Int32Array(over), 0);
  await reloaded;
  expect(await pool.run(well(1))).toEqual([{ ok: true, result: 'good day n0' }]);
});

test('a state that is requested while another is applied wins', async () => {
  const { pool } = await startPool({ threads: 2 });
  const states = ['one', 'two', 'three', 'broken', 'four'].map((greeting) => pool.reload({ greeting }));
  const settled = await Promise.allSettled(states);
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  const outcomes = await pool.run(well(100));
  expect(outcomes.every((each) => each.ok && each.result.startsWith('four '))).toBe(true);
});

test('a large call does not hold up a small one', async () => {
  const { pool } = await startPool({ batchMax: 32 });
  const order: string[] = [];
  const slow = Array.from(
    { length: 400 },
    (_, index): ScriptedTask => ({ name: `s${index}`, behaviour: 'well', waitMs: 1 }),
  );
  await Promise.all([
    pool.run(slow).then(() => order.push('large')),
    pool.run(well(1)).then(() => order.push('small')),
  ]);
  expect(order).toEqual(['small', 'large']);
});

test('stopping fails waiting calls and refuses new ones', async () => {
  const { pool } = await startPool();
  const hanging = pool.run([{ name: 'loop', behaviour: 'spins' }]);
  const refused = expect(hanging).rejects.toMatchObject({ code: 'unavailable' });
  await pool.stop();
  await refused;
  await expect(pool.run(well(1))).rejects.toMatchObject({ code: 'unavailable' });
});

test('if the module cannot start, the pool fails instead of retrying forever', async () => {
  await expect(
    startWorkerPool<string, string, ScriptedState>({
      module: new URL('./scripted-worker.ts', import.meta.url),
      state: { greeting: 'broken' },
      weigh: () => 1,
      settings: {
        threads: 2,
        spares: 0,
        queueMax: 1,
        queueWeightMax: 1,
        batchMax: 1,
        itemTimeoutMs: 250,
        loadTimeoutMs: 5000,
        heapMb: 64,
      },
    }),
  ).rejects.toThrow('cannot greet like that');
});

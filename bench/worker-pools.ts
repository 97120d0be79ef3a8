/** Parley's worker pool beside piscina: texts per second through one thread, one by one and in batches, with almost no work per text. */
import { existsSync } from 'node:fs';
import { rows } from '../scripts/evaluate/shipped.ts';
import { startWorkerPool } from '../src/processing/pool/worker-pool.ts';
import type { Row } from './measure.ts';

const texts = rows('ham/irc-ubuntu.dev.jsonl.gz').map(({ text }) => text);
const seconds = 3;

/** Keeps `inFlight` calls going. @param call processes some texts and returns how many */
async function measure(inFlight: number, call: () => Promise<number>): Promise<number> {
  let done = 0;
  const run = async (untilMs: number): Promise<void> => {
    while (performance.now() < untilMs) {
      const count = await call();
      done += count;
    }
  };
  const all = (untilMs: number) => Promise.all(Array.from({ length: inFlight }, () => run(untilMs)));
  await all(performance.now() + 1000);
  done = 0;
  const startedMs = performance.now();
  await all(startedMs + seconds * 1000);
  return done / ((performance.now() - startedMs) / 1000);
}

let turn = 0;
const one = (): string => texts[turn++ % texts.length]!;
const many = (): string[] => Array.from({ length: 128 }, one);

/** The used part of piscina, whose package is only in bench/node_modules. */
interface Pool {
  readonly run: (task: string | readonly string[]) => Promise<unknown>;
  readonly destroy: () => Promise<void>;
}

export async function workerPools(): Promise<Row[]> {
  if (!existsSync(new URL('./node_modules/piscina', import.meta.url)))
    throw new Error('piscina is not there: npm install in bench/');
  const name = 'piscina'; // not a literal: the types of the project know nothing of it
  const { Piscina } = (await import(name)) as { Piscina: new (options: object) => Pool };
  const piscina = new Piscina({
    filename: new URL('./piscina-echo-worker.ts', import.meta.url).href,
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: 2,
  });
  const pool = await startWorkerPool<string, number, object>({
    module: new URL('./pool-echo-worker.ts', import.meta.url),
    state: {},
    weigh: (text) => text.length,
    settings: {
      threads: 1,
      spares: 0,
      queueMax: 100_000,
      queueWeightMax: 100_000_000,
      batchMax: 128,
      itemTimeoutMs: 250,
      loadTimeoutMs: 10_000,
      heapMb: 64,
    },
  });
  const piscinaOne = await measure(512, () => piscina.run(one()).then(() => 1));
  const rates: readonly (readonly [string, number])[] = [
    ['piscina, a task for each text, 512 in flight', piscinaOne],
    ['Parley’s pool, a call for each text, 512 in flight', await measure(512, () => pool.run([one()]).then(() => 1))],
    ['piscina, a task for 128 texts, 8 in flight', await measure(8, () => piscina.run(many()).then(() => 128))],
    ['Parley’s pool, a call for 128 texts, 8 in flight', await measure(8, () => pool.run(many()).then(() => 128))],
  ];
  await Promise.all([piscina.destroy(), pool.stop()]);
  return rates.map(([what, rate]) => ({ what, rate, ratio: rate / piscinaOne }));
}

/**
 * Judges and renders texts on worker threads. The main thread only queues, counts, and keeps what the threads share: the flood
 * window, and the texts that were being judged when a thread was lost.
 */
import { createHash } from 'node:crypto';
import type { RunOptions } from '../pool/task-queue.ts';
import { type PoolEvents, startWorkerPool, type WorkerPoolSettings } from '../pool/worker-pool.ts';
import type { TaskOutcome } from '../pool/worker-protocol.ts';
import { type FloodWatch, withFlood } from './flood-watch.ts';
import type { TextEngine, TextResult, TextTask } from './text-task.ts';

export interface EngineSettings extends WorkerPoolSettings {
  /** How long a text that overran or crashed twice is refused without being judged. */
  readonly quarantineMs: number;
  /** Number of such texts that are remembered. */
  readonly quarantineMax: number;
}

/** The result of one text on a thread. */
export type ThreadResult = TextResult;

export interface EngineEvents extends PoolEvents {
  readonly onResult?: (outcome: TextResult['outcome']) => void;
}

export interface EngineOptions<State> {
  /** Module of the threads; it calls `serveTasks`. */
  readonly module: URL;
  /** Rules, weights and lists that the threads start with. */
  readonly state: State;
  /** Identifies that state. */
  readonly version: string;
  readonly settings: EngineSettings;
  readonly flood?: FloodWatch | undefined;
  readonly events?: EngineEvents;
}

export interface Engine<State> extends TextEngine {
  /** Resolves when every thread works with `state`; no work is dropped. Rejects with a thread's complaint. */
  readonly reload: (state: State, version: string) => Promise<void>;
  readonly stats: () => { readonly waiting: number; readonly given: number; readonly threadsReady: number };
  readonly stop: () => Promise<void>;
}

/** Resolves when all threads are warm. */
export async function startEngine<State extends object>(options: EngineOptions<State>): Promise<Engine<State>> {
  const { settings, flood, events = {} } = options;
  let version = options.version;
  const quarantine = createQuarantine(settings);
  const pool = await startWorkerPool<TextTask, ThreadResult, State>({
    module: options.module,
    state: options.state,
    settings,
    weigh: (task) => task.text.length,
    events,
  });

  async function judge(tasks: readonly TextTask[], runOptions: RunOptions = {}): Promise<TextResult[]> {
    const run = tasks.filter((task) => !quarantine.holds(task.text));
    const outcomes = await pool.run(run, runOptions);
    let next = 0;
    return tasks.map((task) => {
      const result = run[next] === task ? conclude(task, outcomes[next++]!) : unjudged(task, 'quarantine');
      events.onResult?.(result.outcome);
      return result;
    });
  }

  function conclude(task: TextTask, outcome: TaskOutcome<ThreadResult>): TextResult {
    if (!outcome.ok) {
      if (outcome.reason !== 'threw') quarantine.add(task.text);
      return unjudged(task, outcome.reason);
    }
    const { result } = outcome;
    return task.assess ? withFlood(result, flood?.(task, result.fingerprint)) : result;
  }

  return {
    judge,
    version: () => version,
    reload: async (state, nextVersion) => {
      await pool.reload(state);
      version = nextVersion;
    },
    stats: pool.stats,
    stop: pool.stop,
  };
}

/** The verdict on a text that could not be judged: it is refused, and its label says why. */
function unjudged(task: TextTask, reason: string): TextResult {
  const label = { name: 'error', score: 1, start: 0, end: task.text.length, matched: '', id: reason };
  return { outcome: 'error', spamScore: 0, labels: [label], html: '', links: [], mentions: [] };
}

/** Remembers texts that were judged when a thread was lost, by digest, so that repeating one does not cost a thread each time. */
function createQuarantine({ quarantineMs, quarantineMax }: EngineSettings) {
  const until = new Map<string, number>();
  const digest = (text: string): string => createHash('sha256').update(text).digest('base64');
  return {
    add: (text: string): void => {
      const oldest = until.keys().next();
      if (until.size >= quarantineMax && !oldest.done) until.delete(oldest.value);
      until.set(digest(text), performance.now() + quarantineMs);
    },
    holds: (text: string): boolean => {
      if (until.size === 0) return false; // the usual case costs nothing
      const key = digest(text);
      const endsAtMs = until.get(key);
      if (endsAtMs === undefined) return false;
      if (endsAtMs > performance.now()) return true;
      until.delete(key);
      return false;
    },
  };
}

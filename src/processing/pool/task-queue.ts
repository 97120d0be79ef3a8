/**
 * The bounded queue before the worker threads. A job holds the items of one call. Jobs take turns, so a large call does not
 * delay a small one. Batches are bounded by number and by weight (characters).
 *
 * States of an item: `waiting` → `given` → `done`, and back to `waiting` if its thread was lost.
 */
import { Failure } from '../../errors.ts';
import type { TaskOutcome } from './worker-protocol.ts';

export interface TaskQueueSettings {
  /** Most items that wait. A call that would exceed it is refused at once. */
  readonly queueMax: number;
  /** Most weight (characters) that waits, with the same consequence. */
  readonly queueWeightMax: number;
  readonly batchMax: number;
}

export interface RunOptions {
  /** The caller waits this long, milliseconds from now; then the call fails and what was not begun is dropped. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

interface Job<Task, Result> {
  readonly tasks: readonly Task[];
  /** By `performance.now()`. */
  readonly admittedAtMs: number;
  readonly outcomes: TaskOutcome<Result>[];
  /** Indexes of items that came back from a lost thread. They run before `next`. */
  readonly again: number[];
  next: number;
  unfinished: number;
  settled: boolean;
  readonly settle: (failure?: Failure) => void;
}

/** One item on its way. */
export interface Entry<Task, Result> {
  readonly job: Job<Task, Result>;
  readonly index: number;
}

export interface TaskQueue<Task, Result> {
  /**
   * Queues the items of one call and resolves with their outcomes in order.
   * @throws Failure `unavailable` when the queue is full, `request_timeout` at the deadline
   */
  readonly admit: (tasks: readonly Task[], options: RunOptions) => Promise<TaskOutcome<Result>[]>;
  /** The next batch; empty when nothing waits. */
  readonly take: () => Entry<Task, Result>[];
  /** Puts an item of a lost thread back at the front. */
  readonly giveBack: (entry: Entry<Task, Result>) => void;
  readonly finish: (entry: Entry<Task, Result>, outcome: TaskOutcome<Result>) => void;
  readonly waiting: () => number;
  /** Fails every job that is not done. */
  readonly failAll: (failure: Failure) => void;
}

/** Items of one job taken in one turn. */
const turnItems = 32;
/** Weight of one batch: 64 k characters are a few milliseconds of work, so no item waits long for a batch before it. */
const batchWeightMax = 65_536;

/**
 * @param weigh characters of a task
 * @param onWork called when the queue was empty and is not any more
 */
export function createTaskQueue<Task, Result>(
  settings: TaskQueueSettings,
  weigh: (task: Task) => number,
  onWork: () => void,
): TaskQueue<Task, Result> {
  const open = new Set<Job<Task, Result>>();
  let turns: Job<Task, Result>[] = [];
  let waiting = 0;
  let waitingWeight = 0;

  function left(job: Job<Task, Result>): boolean {
    return job.again.length > 0 || job.next < job.tasks.length;
  }

  function forget(job: Job<Task, Result>): void {
    while (left(job)) takeIndex(job);
    turns = turns.filter((each) => each !== job);
  }

  /** Takes one waiting item; only while something is left. */
  function takeIndex(job: Job<Task, Result>): number {
    const index = job.again.shift() ?? job.next++;
    waiting--;
    waitingWeight -= weigh(job.tasks[index]!);
    return index;
  }

  function admit(tasks: readonly Task[], { deadlineMs, signal }: RunOptions): Promise<TaskOutcome<Result>[]> {
    const weight = tasks.reduce((sum, task) => sum + weigh(task), 0);
    if (waiting + tasks.length > settings.queueMax || waitingWeight + weight > settings.queueWeightMax) {
      return Promise.reject(new Failure('unavailable', 'the queue of the engine is full', { retryAfterMs: 250 }));
    }
    if (signal?.aborted || (deadlineMs !== undefined && deadlineMs <= 0)) {
      return Promise.reject(new Failure('request_timeout', 'the deadline had passed on arrival'));
    }
    if (tasks.length === 0) return Promise.resolve([]);
    const { promise, resolve, reject } = Promise.withResolvers<TaskOutcome<Result>[]>();
    const late = (): void => job.settle(new Failure('request_timeout', 'not judged within the deadline'));
    const timer = deadlineMs === undefined ? undefined : setTimeout(late, deadlineMs);
    const job: Job<Task, Result> = {
      tasks,
      admittedAtMs: performance.now(),
      outcomes: new Array<TaskOutcome<Result>>(tasks.length),
      again: [],
      next: 0,
      unfinished: tasks.length,
      settled: false,
      settle: (failure) => {
        if (job.settled) return;
        job.settled = true;
        open.delete(job);
        clearTimeout(timer);
        signal?.removeEventListener('abort', late);
        if (!failure) return resolve(job.outcomes);
        forget(job);
        reject(failure);
      },
    };
    open.add(job);
    turns.push(job);
    waiting += tasks.length;
    waitingWeight += weight;
    signal?.addEventListener('abort', late, { once: true });
    if (turns.length === 1) onWork();
    return promise;
  }

  function take(): Entry<Task, Result>[] {
    const entries: Entry<Task, Result>[] = [];
    let weight = 0;
    const full = (): boolean => entries.length >= settings.batchMax || weight >= batchWeightMax;
    while (turns.length > 0 && !full()) {
      const job = turns.shift()!;
      for (let taken = 0; taken < turnItems && left(job) && !full(); taken++) {
        const index = takeIndex(job);
        weight += weigh(job.tasks[index]!);
        entries.push({ job, index });
      }
      if (left(job)) turns.push(job);
    }
    return entries;
  }

  function giveBack({ job, index }: Entry<Task, Result>): void {
    if (job.settled) return;
    job.again.unshift(index);
    waiting++;
    waitingWeight += weigh(job.tasks[index]!);
    if (!turns.includes(job)) turns.unshift(job);
  }

  function finish({ job, index }: Entry<Task, Result>, outcome: TaskOutcome<Result>): void {
    if (job.settled) return;
    job.outcomes[index] = outcome;
    if (--job.unfinished === 0) job.settle();
  }

  function failAll(failure: Failure): void {
    for (const job of [...open]) job.settle(failure);
  }

  return { admit, take, giveBack, finish, waiting: () => waiting, failAll };
}

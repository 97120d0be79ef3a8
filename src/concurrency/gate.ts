/** A gate (semaphore): at most `max` callers are inside at once. The others wait in the order in which they came. */

/** Why a caller is refused: the queue is full, or it waited for longer than `waitMaxMs`. */
export type GateRefusal = 'full' | 'late';

export interface GateOptions {
  readonly max: number;
  /** Callers that wait at most; further ones are refused at once. Default: no bound. */
  readonly queueMax?: number;
  /** Longest wait in milliseconds. It is checked when a place becomes free and by `expire`. Default: no bound. */
  readonly waitMaxMs?: number;
  /** Makes the error of a refusal; called once for each refused caller. */
  readonly refusal?: (why: GateRefusal) => Error;
  /** Called when the number of waiting callers changes. */
  readonly onWaiting?: (count: number) => void;
}

export interface Gate {
  /**
   * Calls `start` as soon as there is a place: synchronously if there is one now. Calls `refuse` instead when there is none in time.
   * Each call of `start` needs exactly one `leave`.
   */
  readonly pass: (start: () => void, refuse: (error: Error) => void) => void;
  readonly leave: () => void;
  /** The same as a promise. @returns leaves the gate; further calls of it do nothing. @throws the error of `refusal` */
  readonly enter: () => Promise<() => void>;
  /** Runs `work` inside the gate. @throws the error of `refusal`, or what `work` throws */
  readonly run: <Value>(work: () => Promise<Value>) => Promise<Value>;
  /** Refuses the callers that have waited for too long. */
  readonly expire: () => void;
  /** Whether the next caller that has to wait is refused. */
  readonly isFull: () => boolean;
  readonly waiting: () => number;
}

interface Waiting {
  readonly untilMs: number;
  readonly start: () => void;
  readonly refuse: (error: Error) => void;
}

export function createGate({
  max,
  queueMax = Number.POSITIVE_INFINITY,
  waitMaxMs = Number.POSITIVE_INFINITY,
  refusal = (why) => new Error(`the gate is ${why}`),
  onWaiting,
}: GateOptions): Gate {
  const queue: Waiting[] = [];
  let inside = 0;

  const isFull = () => queue.length >= queueMax;

  function pass(start: () => void, refuse: (error: Error) => void): void {
    if (inside < max) {
      inside += 1;
      start();
    } else if (isFull()) refuse(refusal('full'));
    else {
      queue.push({ untilMs: performance.now() + waitMaxMs, start, refuse });
      onWaiting?.(queue.length);
    }
  }

  function leave(): void {
    expire();
    const next = queue.shift();
    if (!next) {
      inside -= 1;
      return;
    }
    // The place is handed over, so no caller in between can take it.
    onWaiting?.(queue.length);
    next.start();
  }

  function expire(): void {
    const nowMs = performance.now();
    while (queue.length > 0 && queue[0]!.untilMs < nowMs) {
      const { refuse } = queue.shift()!;
      onWaiting?.(queue.length);
      refuse(refusal('late'));
    }
  }

  async function enter(): Promise<() => void> {
    await new Promise<void>(pass);
    let isInside = true;
    return () => {
      if (isInside) leave();
      isInside = false;
    };
  }

  async function run<Value>(work: () => Promise<Value>): Promise<Value> {
    const leaveGate = await enter();
    try {
      return await work();
    } finally {
      leaveGate();
    }
  }

  return { pass, leave, enter, run, expire, isFull, waiting: () => queue.length };
}

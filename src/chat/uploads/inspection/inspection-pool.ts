/** The threads that look into uploaded files: `inspection-worker.ts`. A few at a time, the others wait in a bounded queue. */
import { Worker } from 'node:worker_threads';
import { createGate } from '../../../concurrency/gate.ts';
import { Failure, invalid } from '../../../errors.ts';
import type { EncodedPicture } from './picture-encoding.ts';

export interface InspectionTask {
  readonly path: string;
  /** For what is made of the file. */
  readonly folder: string;
  readonly pixelsMax: number;
  readonly timeoutMs: number;
}

export type Inspected =
  | { readonly type: string; readonly picture?: EncodedPicture }
  | { readonly refused: 'pixels' }
  | { readonly failed: string };

export interface FileInspection {
  readonly type: string;
  /** What is stored in place of a picture. */
  readonly picture?: EncodedPicture;
}

export interface InspectionSettings {
  readonly pixelsMax: number;
  readonly picturesAtOnce: number;
  readonly picturesWaitingMax: number;
  /** Milliseconds. */
  readonly pictureTimeout: number;
}

export interface InspectionPool {
  /** @throws Failure `invalid` for a picture that is too large or takes too long, `unavailable` when too many wait */
  readonly inspect: (file: Pick<InspectionTask, 'path' | 'folder'>) => Promise<FileInspection>;
  readonly stop: () => Promise<void>;
}

/** A thread that has nothing to do for this long is ended, because it keeps 30 MB. */
const idleMs = 60_000;
/** The encoder ends itself at the time limit. This is for a thread that does not. */
const graceMs = 2000;

interface Thread {
  readonly worker: Worker;
  idle: NodeJS.Timeout | undefined;
}

export function createInspectionPool(settings: InspectionSettings): InspectionPool {
  const { pixelsMax, pictureTimeout: timeoutMs } = settings;
  const idle: Thread[] = [];
  const all = new Set<Thread>();
  const gate = createGate({
    max: settings.picturesAtOnce,
    queueMax: settings.picturesWaitingMax,
    refusal: () => new Failure('unavailable', 'too many files wait to be looked at', { retryAfterMs: 2000 }),
  });

  async function startThread(): Promise<Thread> {
    // libvips must stay loaded until the last thread that uses it has ended.
    await import('sharp');
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const worker = new Worker(new URL(`./inspection-worker.${extension}`, import.meta.url));
    // An error is followed by the exit, which is listened to.
    worker.on('error', () => {});
    worker.unref();
    const thread: Thread = { worker, idle: undefined };
    all.add(thread);
    worker.once('exit', () => {
      all.delete(thread);
      const index = idle.indexOf(thread);
      if (index >= 0) idle.splice(index, 1);
    });
    return thread;
  }

  function putBack(thread: Thread): void {
    thread.idle = setTimeout(() => void thread.worker.terminate(), idleMs).unref();
    idle.push(thread);
  }

  async function run(task: InspectionTask): Promise<Inspected> {
    const thread = idle.pop() ?? (await startThread());
    clearTimeout(thread.idle);
    const inspected = await ask(thread.worker, task);
    if (inspected === 'late') void thread.worker.terminate();
    else putBack(thread);
    if (inspected === 'late') throw invalid('/file', 'takes too long to decode');
    return inspected;
  }

  return {
    inspect: async (file) => {
      const inspected = await gate.run(() => run({ ...file, pixelsMax, timeoutMs }));
      if ('failed' in inspected)
        throw new Failure('unavailable', 'the file could not be read', { cause: inspected.failed });
      if ('refused' in inspected) throw invalid('/file', `pictures may have at most ${pixelsMax} pixels`);
      return inspected;
    },
    stop: async () => {
      await Promise.all([...all].map(({ worker }) => worker.terminate()));
    },
  };
}

/** @throws Failure `unavailable` when the thread ends */
function ask(worker: Worker, task: InspectionTask): Promise<Inspected | 'late'> {
  return new Promise((resolve, reject) => {
    const onExit = () => settle(() => reject(new Failure('unavailable', 'the file could not be read')));
    const onMessage = (inspected: Inspected) => settle(() => resolve(inspected));
    const timer = setTimeout(() => settle(() => resolve('late')), task.timeoutMs + graceMs);
    function settle(end: () => void): void {
      clearTimeout(timer);
      worker.off('exit', onExit).off('message', onMessage);
      end();
    }
    worker.on('exit', onExit).on('message', onMessage);
    worker.postMessage(task);
  });
}

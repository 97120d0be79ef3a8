/** A thread of Parley's pool that does next to nothing with a text: what is measured is the way to it. */
import { serveTasks } from '../src/processing/pool/worker-thread.ts';

serveTasks<string, number, object>({ apply: () => {}, run: (text) => text.length });

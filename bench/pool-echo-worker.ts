/** A thread of Parley's pool that does almost nothing with a text: this measures the path to it. */
import { serveTasks } from '../src/processing/pool/worker-thread.ts';

serveTasks<string, number, object>({ apply: () => {}, run: (text) => text.length });

/** What a run needs before it begins is tried again: instances that have just started may be busy. */
import { setTimeout as pause } from 'node:timers/promises';

const tries = 60;

/** @throws what the last try threw, or at once what no repetition helps against */
export async function untilDone<Value>(work: () => Promise<Value>): Promise<Value> {
  for (let left = tries; ; left--) {
    try {
      return await work();
    } catch (error) {
      if (
        left === 0 ||
        !/unavailable|outcome_unknown|offline|503/.test(`${(error as { code?: string }).code} ${error}`)
      )
        throw error;
      await pause(500);
    }
  }
}

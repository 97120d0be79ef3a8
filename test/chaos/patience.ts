/** Repeats the set-up calls of a run: instances that have just started may be busy. */
import { setTimeout as pause } from 'node:timers/promises';

const tries = 60;

/** @throws the error of the last attempt, or at once an error that repeating cannot fix */
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

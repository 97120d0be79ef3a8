/** Work that a person starts by a form or a button: one piece at a time, and in words why it failed. */
import { useMemo, useState } from 'preact/hooks';
import { explainRefusal } from './chat-store.ts';

export interface Attempt {
  /** Work is under way: controls that start it are to be disabled. */
  readonly busy: boolean;
  /** Why the last work failed, in words; empty when it did not. */
  readonly problem: string;
  /**
   * Does the work, unless other work is under way: the second click of a double click does nothing, even before the page has drawn the
   * control as disabled.
   * @returns whether the work was done
   */
  readonly attempt: (work: () => Promise<unknown>) => Promise<boolean>;
}

/** @param explain says in words why work failed; an empty text when the page shows it in another way */
export function useAttempt(explain: (error: unknown) => string = explainRefusal): Attempt {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const running = useMemo(() => ({ now: false }), []);

  async function attempt(work: () => Promise<unknown>): Promise<boolean> {
    if (running.now) return false;
    running.now = true;
    setBusy(true);
    setProblem('');
    try {
      await work();
      return true;
    } catch (error) {
      setProblem(explain(error));
      return false;
    } finally {
      running.now = false;
      setBusy(false);
    }
  }
  return { busy, problem, attempt };
}

/** Work that a person starts from a form or a button: one piece at a time, and what came of it in words. */
import { useMemo, useState } from 'preact/hooks';
import { explainRefusal } from './chat-store.ts';

export interface Attempt {
  /** Work is under way: controls that start it are to be disabled. */
  readonly busy: boolean;
  /** Why the last work failed, in words; empty when it did not. */
  readonly problem: string;
  /**
   * Does the work, unless other work is under way: the second click of a double click does nothing, also before the page has drawn that
   * the control is disabled.
   * @returns whether the work was done
   */
  readonly attempt: (work: () => Promise<unknown>) => Promise<boolean>;
}

/** @param explain a refusal in words; undefined: somebody else shows it */
export function useAttempt(explain: (error: unknown) => string | undefined = explainRefusal): Attempt {
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
      setProblem(explain(error) ?? '');
      return false;
    } finally {
      running.now = false;
      setBusy(false);
    }
  }
  return { busy, problem, attempt };
}

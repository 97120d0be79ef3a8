/** The failure of a draft that was not judged in time, and what a deployment may want done with it. */
import { Failure } from '../../errors.ts';
import { QueueFull } from './draft-queue.ts';

/**
 * What happens to a draft without a verdict: `local` judges it in this process first, `refuse` refuses it, `pending` keeps it
 * for a later verdict, `open` lets it pass.
 */
export type FallbackMode = 'local' | 'refuse' | 'pending' | 'open';

/** No verdict in time. A caller that does not look at `mode` must refuse the text. */
export class NoVerdict extends Failure {
  readonly mode: FallbackMode;

  constructor(mode: FallbackMode, cause: unknown) {
    const full = cause instanceof QueueFull ? cause : undefined;
    const retryAfterMs = full?.retryAfterMs ?? 1000;
    super('unavailable', full?.message ?? 'no verdict in time', { retryAfterMs, cause });
    this.mode = mode;
  }
}

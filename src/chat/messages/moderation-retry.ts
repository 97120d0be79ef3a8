/**
 * Retries moderation of messages whose verdict timed out. Every instance claims messages for a few seconds; if it is
 * lost, another instance claims them after that.
 */
import type { Logger } from 'pino';
import { startPoller } from '../../concurrency/poller.ts';
import { Failure, type FailureCode } from '../../errors.ts';
import type { LateVerdicts } from './late-verdict.ts';
import type { ModerationRetryRepository, Unmoderated } from './moderation-retry-repository.ts';

export interface ModerationRetryOptions {
  readonly repository: Pick<ModerationRetryRepository, 'claim' | 'release' | 'remove'>;
  readonly verdicts: LateVerdicts;
  readonly logger: Logger;
  readonly pollMs: number;
}

/** Failures after which a later try may succeed. */
const passing: ReadonlySet<FailureCode> = new Set([
  'unavailable',
  'outcome_unknown',
  'slow_mode',
  'rate_limited',
  'internal',
]);

export function startModerationRetry(options: ModerationRetryOptions): { readonly stop: () => Promise<void> } {
  const { repository, verdicts, logger, pollMs } = options;

  /** Claims and settles messages until a round settles none. */
  async function retryAll(): Promise<void> {
    for (;;) {
      const settled = await Promise.all((await repository.claim()).map(settleOne));
      if (!settled.includes(true)) return;
    }
  }

  /** @returns whether the message is settled: the next one of its author may follow */
  async function settleOne(message: Unmoderated): Promise<boolean> {
    try {
      await verdicts.settle(message);
      await repository.remove(message.messageId);
      return true;
    } catch (error) {
      const isFinal = error instanceof Failure && !passing.has(error.code);
      if (isFinal) verdicts.tellAuthor(message, error.code, 'your message could not be delivered', {});
      await (isFinal ? repository.remove(message.messageId) : repository.release(message.messageId));
      return isFinal;
    }
  }

  const poller = startPoller({
    work: retryAll,
    everyMs: pollMs,
    onError: (error) => logger.debug({ error }, 'messages without a verdict could not be read'),
  });

  return {
    stop: async () => {
      poller.stop();
      await poller.settled();
    },
  };
}

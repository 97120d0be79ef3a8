/** Finishes messages whose writer is silent for too long, or was connected to an instance that has died. */
import type { Logger } from 'pino';
import { startPoller } from '../../concurrency/poller.ts';
import type { StreamPlace } from './stream-repository.ts';

export function startSilentStreams({
  findOver,
  endSilent,
  logger,
  pollMs,
}: {
  /** Streams that are over, on any instance. Two instances may end the same one: the second finds it closed. */
  readonly findOver: () => Promise<StreamPlace[]>;
  readonly endSilent: (place: StreamPlace) => Promise<void>;
  readonly logger: Logger;
  readonly pollMs: number;
}): { readonly stop: () => Promise<void> } {
  async function endAll(): Promise<void> {
    const ends = await Promise.allSettled((await findOver()).map(endSilent));
    for (const each of ends)
      if (each.status === 'rejected')
        logger.debug({ error: each.reason as unknown }, 'a silent stream could not be ended');
  }

  const poller = startPoller({
    work: endAll,
    everyMs: pollMs,
    onError: (error) => logger.debug({ error }, 'silent streams could not be read'),
  });
  return {
    stop: async () => {
      poller.stop();
      await poller.settled();
    },
  };
}

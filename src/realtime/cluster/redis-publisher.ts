/** The link to Redis that publishes hints: without waiting, and at most `queueMax` at once. A hint that does not fit is dropped. */
import type { Counter } from 'prom-client';
import type { Outage } from '../../logger/outages.ts';
import { isRefusal, type RedisLink } from '../../redis-link.ts';

export interface RedisPublisher {
  /** Never throws and is never awaited. */
  readonly publish: (channel: string, text: string) => void;
  /** The same beside the bound, and whether or not hints flow. @throws what Redis or the link says */
  readonly publishNow: (channel: string, text: string) => Promise<unknown>;
  readonly stop: () => void;
}

export function createRedisPublisher({
  link,
  cluster,
  queueMax,
  isUp,
  outage,
  metrics,
}: {
  link: RedisLink;
  cluster: boolean;
  queueMax: number;
  /** While hints do not flow nothing is published. */
  isUp: () => boolean;
  /** The outage of publishing alone: the rights to do so may be missing. */
  outage: Outage;
  metrics: { readonly published: Counter; readonly dropped: Counter };
}): RedisPublisher {
  let inFlight = 0;
  let stopped = false;

  const publishNow = (channel: string, text: string) =>
    cluster ? link.spublish(channel, text) : link.publish(channel, text);

  function onFailed(error: unknown): void {
    metrics.dropped.inc();
    if (isRefusal(error)) outage.failed(error);
  }

  return {
    publish: (channel, text) => {
      if (stopped || inFlight >= queueMax || !isUp()) {
        metrics.dropped.inc();
        return;
      }
      inFlight += 1;
      metrics.published.inc();
      publishNow(channel, text)
        .then(outage.ended, onFailed)
        .finally(() => {
          inFlight -= 1;
        });
    },
    publishNow,
    stop: () => {
      stopped = true;
      link.disconnect();
    },
  };
}

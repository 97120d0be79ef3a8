/**
 * Proves end to end that hints flow: a probe is published and must come back over the subscriber. A half-open TCP connection to Redis
 * shows no error for minutes, so a link on which no probe comes back is replaced.
 *
 * States: up (the last probe came back) ⇄ down (no probe came back in time). While up, the link may have been torn: its connection
 * broke since the last probe came back, so hints may be missing.
 */

export interface RedisLinkProbe {
  readonly isUp: () => boolean;
  /** Looks whether probes come back, and sends the next one. */
  readonly check: () => void;
  /** A probe came back. */
  readonly onReturned: () => void;
  /** The connection of the subscriber broke. */
  readonly onBroken: () => void;
}

export function createRedisLinkProbe({
  timeoutMs,
  sinceMs,
  send,
  retryUnconfirmed,
  onSilent,
  onFlowing,
}: {
  timeoutMs: number;
  /** When the present subscriber was opened, by the monotonic clock: earlier silence does not count. */
  sinceMs: () => number;
  send: () => void;
  /** Called with each check of a link that is not silent. */
  retryUnconfirmed: () => void;
  /** No probe came back for `silentMs`: the link has to be replaced. */
  onSilent: (silentMs: number) => void;
  /** Hints flow, after they did not or may have been missed. */
  onFlowing: () => void;
}): RedisLinkProbe {
  let isUp = false;
  let isTorn = false;
  let returnedMs = performance.now();

  return {
    isUp: () => isUp,
    check: () => {
      const silentMs = performance.now() - Math.max(returnedMs, sinceMs());
      if (silentMs > timeoutMs) {
        isUp = false;
        onSilent(silentMs);
      } else retryUnconfirmed();
      send();
    },
    onReturned: () => {
      returnedMs = performance.now();
      if (isUp && !isTorn) return;
      isUp = true;
      isTorn = false;
      onFlowing();
    },
    onBroken: () => {
      isTorn = true;
    },
  };
}

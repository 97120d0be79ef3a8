/**
 * Which other instances live. Each instance writes a beat to Redis; one without a beat for the lease has ended, however it ended.
 *
 * An instance is: unknown → alive → gone. While Redis is away nobody is declared gone, because nobody's beats arrive; afterwards each
 * instance has a whole lease to beat again.
 */
import type { PresenceStore } from './presence-store.ts';

export interface InstanceLeases {
  readonly alive: () => readonly string[];
  /** A hint came from the instance, so it lives. */
  readonly noteHint: (instance: string) => void;
  /** Whether the last beat reached Redis. */
  readonly isShared: () => boolean;
  readonly stop: () => void;
}

export interface LeaseEvents {
  /** An instance was found that was not known. */
  readonly onFound: (instance: string) => void;
  readonly onGone: (instance: string) => void;
  /** Redis is back after it was away, or lost what this instance had written. */
  readonly onLost: () => void;
  /** Redis has the beats again, after it was away. */
  readonly onBack: () => void;
  readonly onShared: (isShared: boolean) => void;
}

/** A beat costs two commands of an instance; eight in a lease bear a slow Redis. */
const beatsPerGrace = 8;
const beatMaxMs = 1000;

/** The beat and the lease of a grace: an instance that was killed is found gone before the grace has passed. */
export function leaseTimes(graceMs: number): { readonly beatMs: number; readonly leaseMs: number } {
  const beatMs = Math.min(beatMaxMs, Math.round(graceMs / beatsPerGrace));
  return { beatMs, leaseMs: graceMs - 2 * beatMs };
}

export function startInstanceLeases({
  instance,
  store,
  graceMs,
  events,
}: {
  instance: string;
  store: Pick<PresenceStore, 'beat'>;
  graceMs: number;
  events: LeaseEvents;
}): InstanceLeases {
  const { beatMs, leaseMs } = leaseTimes(graceMs);
  /** When each other instance was alive, by this process' monotonic clock. */
  const seenAt = new Map<string, number>();
  let isShared = false;
  let wasAway = false;
  let stopped = false;

  async function beat(): Promise<void> {
    const askedMs = performance.now();
    try {
      const { agesMs, isKept } = await store.beat(instance);
      if (stopped) return;
      const isBack = wasAway;
      wasAway = false;
      setShared(true);
      if (isBack) for (const [id, ms] of seenAt) seenAt.set(id, Math.max(ms, askedMs));
      for (const [id, ageMs] of agesMs) if (id !== instance) note(id, askedMs - ageMs);
      declareGone();
      if (!isKept) events.onLost();
      if (isBack) events.onBack();
    } catch {
      // The store reports the outage.
      wasAway = true;
      setShared(false);
    }
  }

  function setShared(value: boolean): void {
    if (value !== isShared) events.onShared(value);
    isShared = value;
  }

  function note(id: string, atMs: number): void {
    const before = seenAt.get(id);
    seenAt.set(id, Math.max(before ?? 0, atMs));
    if (before === undefined) events.onFound(id);
  }

  function declareGone(): void {
    const nowMs = performance.now();
    for (const [id, ms] of seenAt) {
      if (nowMs - ms <= leaseMs) continue;
      seenAt.delete(id);
      events.onGone(id);
    }
  }

  // Not a poller: a beat that hangs must not delay the next one, or this instance would count as gone.
  const timer = setInterval(() => void beat(), beatMs);
  void beat();

  return {
    alive: () => [...seenAt.keys()],
    noteHint: (id) => note(id, performance.now()),
    isShared: () => isShared,
    stop: () => {
      stopped = true;
      clearInterval(timer);
    },
  };
}

/**
 * Shares presence between instances over Redis. Each instance writes what it contributes to a hash of its own and hints at the change,
 * so a change costs every instance one hint, however many connections watch the user. Only people watched on this instance are kept
 * in memory.
 *
 * Redis has the truth. Lost hints are made good by reading it again: each `presence.recheck`, and whenever the link was restored. While
 * Redis is away an instance goes on with what it knew of the others, and what it has itself. Afterwards it writes what has changed.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { startPoller } from '../../concurrency/poller.ts';
import type { Hints } from '../cluster/hints.ts';
import { type InstanceLeases, startInstanceLeases } from './instance-leases.ts';
import { presenceTexts, readPresenceText } from './presence-hints.ts';
import { type Contribution, encodeContribution, presenceKey } from './presence-status.ts';
import { type PresenceStore, storeBatch } from './presence-store.ts';
import { createRemoteContributions, type RemoteContributions } from './remote-contributions.ts';

export interface PresenceSharing {
  /** Keeps the contributions of other instances to the user up to date, from `refresh` on. */
  readonly track: (userId: string) => void;
  readonly untrack: (userId: string) => void;
  /** What other instances contribute to a tracked user. */
  readonly of: (userId: string) => readonly Contribution[];
  /** Reads these users from Redis. Never rejects: without Redis, what is known stays. */
  readonly refresh: (userIds: readonly string[]) => Promise<void>;
  /** The same for users who need not be tracked. @returns the contributions of the others, in the order of the ids */
  readonly find: (userIds: readonly string[]) => Promise<readonly (readonly Contribution[])[]>;
  /** What this instance contributes to these users has changed. */
  readonly publish: (userIds: readonly string[]) => void;
  /** The custom status, invisibility or blocks of the user have changed. */
  readonly announceFacts: (userId: string) => void;
  readonly stop: () => void;
}

export interface PresenceSharingEvents {
  readonly onContributions: (userIds: readonly string[]) => void;
  readonly onFacts: (userId: string) => void;
}

export interface PresenceSharingMetrics {
  /** Changes that were hinted at, and the bytes of these hints. */
  readonly changes: { readonly inc: (by: number) => void };
  readonly bytes: { readonly inc: (by: number) => void };
  /** 1 while the instances share what they know. */
  readonly shared: { readonly set: (value: number) => void };
}

interface Options {
  readonly instance: string;
  readonly hints: Pick<Hints, 'announcePresence' | 'onPresence' | 'followPresence' | 'unfollowPresence'>;
  readonly store: PresenceStore;
  readonly graceMs: number;
  readonly own: { readonly of: (userId: string) => Contribution | undefined; readonly userIds: () => Iterable<string> };
  readonly events: PresenceSharingEvents;
  readonly metrics: PresenceSharingMetrics;
  readonly onError: (error: unknown) => void;
}

/** An instance that is alone. */
export function createLocalPresence(): PresenceSharing {
  return {
    track: () => {},
    untrack: () => {},
    of: () => [],
    refresh: async () => {},
    find: async (userIds) => userIds.map(() => []),
    publish: () => {},
    announceFacts: () => {},
    stop: () => {},
  };
}

/** Instances that noticed the same gap read Redis at different moments. */
const spreadMs = 500;
const batchPauseMs = 10;

export function createSharedPresence(options: Options): PresenceSharing {
  const { instance, hints, store, own, events } = options;
  const remote = createRemoteContributions();
  const tracked = new Map<string, string>();
  const reader = createReader({ store, remote, alive: () => leases.alive() });
  const writer = createWriter(options);
  let stopped = false;

  const changed = (keys: readonly string[]) => {
    const userIds = keys.flatMap((key) => tracked.get(key) ?? []);
    if (userIds.length > 0) events.onContributions(userIds);
  };
  const refreshAll = startPoller({
    work: async () => {
      await pause(Math.random() * spreadMs);
      if (!stopped) changed(await reader.read([...remote.keys()], leases.alive()));
    },
    // Only asked for: the recheck of watched people comes regularly.
    everyMs: 2 ** 31 - 1,
    onError: options.onError,
  });
  const leases: InstanceLeases = startInstanceLeases({
    instance,
    store,
    graceMs: options.graceMs,
    events: {
      onFound: () => refreshAll.surely(),
      onGone: (gone) => changed(remote.forget(gone)),
      onLost: () => writer.rewrite(own.userIds()),
      onBack: () => {
        writer.retry();
        refreshAll.surely();
      },
      onShared: (isShared) => options.metrics.shared.set(isShared ? 1 : 0),
    },
  });
  hints.onPresence({
    onHint: (from, text) => {
      if (from === instance) return;
      leases.noteHint(from);
      const { contributions, facts, isRewritten } = readPresenceText(text);
      changed(contributions.filter(([key, value]) => remote.take(from, key, value)).map(([key]) => key));
      for (const userId of facts.flatMap((key) => tracked.get(key) ?? [])) events.onFacts(userId);
      if (isRewritten) refreshAll.surely();
    },
    onGap: refreshAll.surely,
  });

  return {
    track: (userId) => {
      if (tracked.size === 0) hints.followPresence();
      const key = presenceKey(userId);
      tracked.set(key, userId);
      remote.track(key);
    },
    untrack: (userId) => {
      const key = presenceKey(userId);
      remote.untrack(key);
      if (tracked.delete(key) && tracked.size === 0) hints.unfollowPresence();
    },
    of: (userId) => remote.of(presenceKey(userId)),
    refresh: async (userIds) => changed(await reader.read(userIds.map(presenceKey), leases.alive())),
    find: (userIds) => reader.find(userIds.map(presenceKey)),
    publish: writer.publish,
    announceFacts: writer.announceFacts,
    stop: () => {
      stopped = true;
      refreshAll.stop();
      leases.stop();
      writer.stop();
      store.stop();
    },
  };
}

/** Reads contributions of other instances. */
function createReader({
  store,
  remote,
  alive,
}: {
  store: PresenceStore;
  remote: RemoteContributions;
  alive: () => readonly string[];
}) {
  /** @returns the keys that it changed. Stops early if Redis is away */
  async function read(keys: readonly string[], instances: readonly string[]): Promise<string[]> {
    const changed = new Set<string>();
    for (let at = 0; at < keys.length; at += storeBatch) {
      const batch = keys.slice(at, at + storeBatch);
      const begunAt = remote.taken();
      const found = await Promise.all(instances.map((each) => store.read(each, batch).catch(() => undefined)));
      for (const [place, values] of found.entries()) {
        for (const [index, value] of (values ?? []).entries())
          if (remote.takeRead(instances[place]!, batch[index]!, value, begunAt)) changed.add(batch[index]!);
      }
      if (at + storeBatch < keys.length) await pause(batchPauseMs);
    }
    return [...changed];
  }

  /** Reads people who are not tracked. */
  async function find(keys: readonly string[]): Promise<readonly (readonly Contribution[])[]> {
    const scratch = createRemoteContributions();
    for (const key of keys) scratch.track(key);
    await createReader({ store, remote: scratch, alive }).read(keys, alive());
    return keys.map((key) => scratch.of(key));
  }

  return { read, find };
}

/** Writes what this instance contributes, and hints at it. */
function createWriter({ instance, hints, store, own, metrics, onError }: Options) {
  /** Users whose contribution did not reach Redis. */
  const unwritten = new Set<string>();
  let version = 0;
  let isRewriting = false;
  let stopped = false;

  function valuesOf(userIds: readonly string[]): Map<string, string> {
    version += 1;
    return new Map(userIds.map((userId) => [presenceKey(userId), encodeContribution(own.of(userId), version)]));
  }

  async function write(userIds: readonly string[], values: ReadonlyMap<string, string>): Promise<boolean> {
    try {
      await store.write(instance, values);
      return true;
    } catch {
      // The leases report the outage, and call `retry` when it is over.
      for (const userId of userIds) unwritten.add(userId);
      return false;
    }
  }

  function announce(text: string, changes: number): void {
    metrics.changes.inc(changes);
    metrics.bytes.inc(hints.announcePresence(instance, text));
  }

  function publish(userIds: readonly string[]): void {
    for (let at = 0; at < userIds.length; at += storeBatch) {
      const batch = userIds.slice(at, at + storeBatch);
      const values = valuesOf(batch);
      void write(batch, values);
      announce(presenceTexts.contributions(values), batch.length);
    }
  }

  function retry(): void {
    const userIds = [...unwritten];
    unwritten.clear();
    publish(userIds);
  }

  /** Redis lost this instance's hash. */
  async function rewriteAll(userIds: readonly string[]): Promise<void> {
    for (let at = 0; at < userIds.length && !stopped; at += storeBatch) {
      const batch = userIds.slice(at, at + storeBatch);
      if (!(await write(batch, valuesOf(batch)))) return;
      await pause(batchPauseMs);
    }
    // Until now others kept what they knew: see `complete` in the store.
    await store.complete(instance);
    announce(presenceTexts.rewritten(), 0);
  }

  return {
    publish,
    retry,
    rewrite: (userIds: Iterable<string>): void => {
      if (isRewriting || stopped) return;
      isRewriting = true;
      rewriteAll([...userIds])
        .catch(onError)
        .finally(() => {
          isRewriting = false;
        });
    },
    announceFacts: (userId: string) => announce(presenceTexts.facts(presenceKey(userId)), 1),
    stop: () => {
      stopped = true;
    },
  };
}

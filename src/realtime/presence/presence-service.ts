/**
 * Who is connected, and who is told. The parts, each with a state of its own:
 *
 * - `device-presence.ts`: the devices of this instance
 * - `presence-sharing.ts`: what other instances know
 * - `watch-lists.ts`: the watchers and the watched on this instance
 * - `presence-views.ts`: what a watcher may see
 * - `presence-delivery.ts`: the frames
 */
import { startPoller } from '../../concurrency/poller.ts';
import type { Connection } from '../socket/connection.ts';
import { createDevicePresence } from './device-presence.ts';
import { createPresenceDelivery } from './presence-delivery.ts';
import type { PresenceSharing, PresenceSharingEvents } from './presence-sharing.ts';
import { type Contribution, combine, type DeviceStatus, type PresenceStatus } from './presence-status.ts';
import { type PersonView, type Presence, presenceFor } from './presence-views.ts';
import { createWatchLists, type Watch, type WatchedPerson } from './watch-lists.ts';

export interface PresenceService {
  readonly setStatus: (connection: Connection, status: DeviceStatus) => void;
  /**
   * Makes the connection watch these people and no others. From then on it gets a frame for each change.
   * @returns what it sees of each of them now
   */
  readonly watch: (connection: Connection, userIds: readonly string[]) => Promise<ReadonlyMap<string, Presence>>;
  /** What a user sees of these people now. */
  readonly find: (watcherId: string, userIds: readonly string[]) => Promise<ReadonlyMap<string, Presence>>;
  /** What others see of the person has changed: tells this and the other instances. */
  readonly announceFacts: (userId: string) => void;
  readonly stop: () => void;
}

export interface PresenceMetrics {
  readonly watched: { readonly set: (people: number) => void };
  readonly sent: { readonly inc: (by: number) => void };
}

export interface PresenceSources {
  /** Undefined for somebody unknown or erased. Calls share queries. */
  readonly findView: (userId: string) => Promise<PersonView | undefined>;
  /** Whether two users are in a room together, as of after the call. Calls share queries. */
  readonly shareRoom: (pair: { readonly watcherId: string; readonly userId: string }) => Promise<boolean>;
  /** A quick yes to the same; false where this instance does not know. */
  readonly isBeside: (connection: Connection, userId: string) => boolean;
}

export interface PresenceSettings {
  readonly grace: number;
  readonly recheck: number;
}

interface Options {
  readonly sources: PresenceSources;
  readonly connectSharing: (own: OwnPresence, events: PresenceSharingEvents) => PresenceSharing;
  readonly onConnections: (listener: {
    readonly onOpened: (connection: Connection) => void;
    readonly onClosed: (connection: Connection) => void;
  }) => void;
  readonly metrics: PresenceMetrics;
  readonly onError: (error: unknown) => void;
  readonly settings: PresenceSettings;
}

export interface OwnPresence {
  readonly of: (userId: string) => Contribution | undefined;
  readonly userIds: () => Iterable<string>;
}

/** A client that says its status right after its hello causes one change and not two. */
const gatherMs = 30;

export function startPresence(options: Options): PresenceService {
  const { sources, metrics, settings, onError } = options;
  const gathered = createGathering((userIds) => {
    sharing.publish(userIds);
    touchAll(userIds);
  });
  const devices = createDevicePresence({ graceMs: settings.grace, onChange: gathered.add });
  const sharing: PresenceSharing = options.connectSharing(devices, { onContributions: touchAll, onFacts: reloadView });
  const lists = createWatchLists({
    onFirst: sharing.track,
    onLast: sharing.untrack,
    onCount: (people) => metrics.watched.set(people),
  });
  const seen = createSeen({ sources, devices, sharing });
  const delivery = createPresenceDelivery({
    sent: metrics.sent,
    textFor: (watch) => {
      if (!lists.isCurrent(watch)) return undefined;
      if (sources.isBeside(watch.connection, watch.person.userId)) return seen.textOf(watch, true);
      if (!watch.shares) return seen.textOf(watch, false);
      // They were in a room together; whether they still are, Postgres knows.
      confirmSharing(watch).catch(onError);
      return undefined;
    },
  });

  function touchAll(userIds: readonly string[]): void {
    for (const userId of userIds) {
      const person = lists.person(userId);
      if (person) delivery.touch(person);
    }
  }

  async function confirmSharing(watch: Watch): Promise<void> {
    const { connection, person } = watch;
    watch.shares = await sources.shareRoom({ watcherId: connection.user!.userId, userId: person.userId });
    if (lists.isCurrent(watch) && watch.shown !== undefined) seen.sendTo(watch, metrics);
  }

  function reloadView(userId: string): void {
    const person = lists.person(userId);
    if (person) loadView(person).catch(onError);
  }

  async function loadView(person: WatchedPerson): Promise<void> {
    const { reads } = person;
    const read = ++reads.begun;
    const view = await sources.findView(person.userId);
    if (read < reads.taken) return;
    reads.taken = read;
    person.view = view;
    delivery.touch(person);
  }

  /** Reads people for the first time; the others are up to date by hints. */
  async function prepare(people: readonly WatchedPerson[]): Promise<void> {
    const unread = people.filter(({ ready }) => ready === undefined);
    if (unread.length > 0) {
      const read = Promise.all([sharing.refresh(unread.map(({ userId }) => userId)), ...unread.map(loadView)]);
      for (const person of unread) person.ready = read.then(() => {});
    }
    await Promise.all(people.map(({ ready }) => ready));
  }

  async function watch(connection: Connection, userIds: readonly string[]): Promise<ReadonlyMap<string, Presence>> {
    const watches = lists.replace(connection, userIds);
    try {
      await Promise.all([prepare(watches.map(({ person }) => person)), ...watches.map(learnSharing)]);
    } catch (error) {
      // Nothing is watched, so that the repeat reads everybody again.
      lists.clear(connection);
      throw error;
    }
    if (connection.state === 'closing') lists.clear(connection);
    return new Map(watches.map((each) => [each.person.userId, seen.show(each)]));
  }

  async function learnSharing(watch: Watch): Promise<void> {
    const { connection, person } = watch;
    const isKnown = sources.isBeside(connection, person.userId);
    const watcherId = connection.user!.userId;
    watch.shares = isKnown || (await sources.shareRoom({ watcherId, userId: person.userId }));
  }

  async function recheck(): Promise<void> {
    const people = [...lists.people()];
    await Promise.all([sharing.refresh(people.map(({ userId }) => userId)), ...people.map(loadView)]);
  }

  const rechecks = startPoller({ work: recheck, everyMs: settings.recheck, onError });
  options.onConnections({
    onOpened: devices.add,
    onClosed: (connection) => {
      devices.remove(connection);
      lists.clear(connection);
    },
  });

  return {
    setStatus: (connection, status) => {
      devices.set(connection, status);
      gathered.flush();
    },
    watch,
    find: seen.find,
    announceFacts: (userId) => {
      reloadView(userId);
      sharing.announceFacts(userId);
    },
    stop: () => {
      rechecks.stop();
      gathered.stop();
      delivery.stop();
      devices.stop();
      sharing.stop();
    },
  };
}

/** What watchers see. */
function createSeen({
  sources,
  devices,
  sharing,
}: {
  sources: PresenceSources;
  devices: OwnPresence;
  sharing: PresenceSharing;
}) {
  function statusOf(userId: string, others: readonly Contribution[]): PresenceStatus {
    const own = devices.of(userId);
    return combine(own ? [own, ...others] : others);
  }

  function presenceOf({ connection, person }: Watch, shares: boolean): Presence {
    const { userId, view } = person;
    const status = statusOf(userId, sharing.of(userId));
    return presenceFor({ watcherId: connection.user!.userId, userId, status, view, shares, nowMs: Date.now() });
  }

  const toText = (userId: string, presence: Presence) => JSON.stringify({ userId, ...presence });

  async function find(watcherId: string, userIds: readonly string[]): Promise<ReadonlyMap<string, Presence>> {
    const nowMs = Date.now();
    const [others, views, shared] = await Promise.all([
      sharing.find(userIds),
      Promise.all(userIds.map(sources.findView)),
      Promise.all(userIds.map((userId) => userId !== watcherId && sources.shareRoom({ watcherId, userId }))),
    ]);
    return new Map(
      userIds.map((userId, at) => {
        const status = statusOf(userId, others[at] ?? []);
        const seen = { watcherId, userId, status, view: views[at], shares: shared[at]!, nowMs };
        return [userId, presenceFor(seen)];
      }),
    );
  }

  return {
    textOf: (watch: Watch, shares: boolean) => toText(watch.person.userId, presenceOf(watch, shares)),
    /** @returns what the answer to the watch says; later frames are compared with it */
    show: (watch: Watch): Presence => {
      const presence = presenceOf(watch, watch.shares);
      watch.shown = toText(watch.person.userId, presence);
      return presence;
    },
    /** Sends a frame if the watcher was told something else before. */
    sendTo: (watch: Watch, { sent }: Pick<PresenceMetrics, 'sent'>): void => {
      const presence = presenceOf(watch, watch.shares);
      const text = toText(watch.person.userId, presence);
      if (text === watch.shown) return;
      const frame = { type: 'presence', data: { userId: watch.person.userId, ...presence } };
      watch.connection.send(frame);
      watch.shown = text;
      sent.inc(1);
    },
    find,
  };
}

/** Gathers users for a moment, each once. */
function createGathering(onGathered: (userIds: readonly string[]) => void) {
  const waiting = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const userIds = [...waiting];
    waiting.clear();
    if (userIds.length > 0) onGathered(userIds);
  }

  return {
    add: (userId: string): void => {
      waiting.add(userId);
      timer ??= setTimeout(flush, gatherMs);
    },
    flush,
    stop: () => clearTimeout(timer),
  };
}

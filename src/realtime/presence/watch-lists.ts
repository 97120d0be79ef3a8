/** The watchers and the watched on this instance: an index in both directions. No I/O. */
import type { Connection } from '../socket/connection.ts';
import type { PersonView } from './presence-views.ts';

/** A person watched by at least one connection. */
export interface WatchedPerson {
  readonly userId: string;
  readonly watches: Set<Watch>;
  view: PersonView | undefined;
  /** Reads of the view that were begun, and the one that it is of: an older read may come back later. */
  readonly reads: { begun: number; taken: number };
  /** Settles when the person has been read for the first time. */
  ready: Promise<void> | undefined;
}

/** One connection that watches one person. */
export interface Watch {
  readonly connection: Connection;
  readonly person: WatchedPerson;
  /** The JSON that the watcher has got last; undefined until the first answer. */
  shown: string | undefined;
  /** Whether both are in a room together, as Postgres said last. */
  shares: boolean;
}

export interface WatchLists {
  /** Makes this the whole list of the connection. @returns its watches, in the order of the ids */
  readonly replace: (connection: Connection, userIds: readonly string[]) => Watch[];
  readonly clear: (connection: Connection) => void;
  readonly person: (userId: string) => WatchedPerson | undefined;
  readonly people: () => Iterable<WatchedPerson>;
  readonly isCurrent: (watch: Watch) => boolean;
}

export function createWatchLists({
  onFirst,
  onLast,
  onCount,
}: {
  /** Somebody begins to watch the person. */
  onFirst: (userId: string) => void;
  /** Nobody watches the person any more. */
  onLast: (userId: string) => void;
  onCount: (people: number) => void;
}): WatchLists {
  const people = new Map<string, WatchedPerson>();
  const lists = new Map<Connection, Map<string, Watch>>();

  function begin(connection: Connection, userId: string): Watch {
    let person = people.get(userId);
    if (!person) {
      person = { userId, watches: new Set(), view: undefined, reads: { begun: 0, taken: 0 }, ready: undefined };
      people.set(userId, person);
      onFirst(userId);
      onCount(people.size);
    }
    const watch: Watch = { connection, person, shown: undefined, shares: false };
    person.watches.add(watch);
    return watch;
  }

  function end(watch: Watch): void {
    const { person } = watch;
    person.watches.delete(watch);
    if (person.watches.size > 0) return;
    people.delete(person.userId);
    onLast(person.userId);
    onCount(people.size);
  }

  function clear(connection: Connection): void {
    const list = lists.get(connection);
    lists.delete(connection);
    for (const watch of list?.values() ?? []) end(watch);
  }

  function replace(connection: Connection, userIds: readonly string[]): Watch[] {
    const before = lists.get(connection) ?? new Map<string, Watch>();
    const after = new Map(userIds.map((userId) => [userId, before.get(userId) ?? begin(connection, userId)]));
    for (const [userId, watch] of before) if (!after.has(userId)) end(watch);
    if (after.size > 0) lists.set(connection, after);
    else lists.delete(connection);
    return userIds.map((userId) => after.get(userId)!);
  }

  return {
    replace,
    clear,
    person: (userId) => people.get(userId),
    people: () => people.values(),
    isCurrent: (watch) => watch.person.watches.has(watch),
  };
}

/** What other instances contribute to the presence of the people watched on this instance. No I/O. */
import { type Contribution, decodeContribution } from './presence-status.ts';

interface Known {
  readonly contribution: Contribution | undefined;
  /** Grows with each change by the same instance. */
  readonly version: number;
  /** Counts what was taken from hints: a read that began before it is older. */
  readonly takenAt: number;
}

export interface RemoteContributions {
  readonly track: (key: string) => void;
  readonly untrack: (key: string) => void;
  readonly keys: () => Iterable<string>;
  readonly of: (key: string) => Contribution[];
  /** Takes a hint. @returns whether it changes something here */
  readonly take: (instance: string, key: string, value: string) => boolean;
  /** How many hints were taken: to be asked before a read begins. */
  readonly taken: () => number;
  /** Takes what was read of an instance; null: it contributes nothing. @returns whether it changes something */
  readonly takeRead: (instance: string, key: string, value: string | null, begunAt: number) => boolean;
  /** The instance has ended. @returns the people that it contributed to */
  readonly forget: (instance: string) => string[];
}

export function createRemoteContributions(): RemoteContributions {
  const people = new Map<string, Map<string, Known>>();
  let hints = 0;

  function apply(instance: string, key: string, value: string): boolean {
    const person = people.get(key);
    if (!person) return false;
    const { contribution, version } = decodeContribution(value);
    const before = person.get(instance);
    if (!(version > (before?.version ?? -1))) return false;
    person.set(instance, { contribution, version, takenAt: hints });
    const { contribution: old } = before ?? {};
    return old?.status !== contribution?.status || old?.leftAtMs !== contribution?.leftAtMs;
  }

  function takeRead(instance: string, key: string, value: string | null, begunAt: number): boolean {
    if (value !== null) return apply(instance, key, value);
    const person = people.get(key);
    const before = person?.get(instance);
    if (!person || !before || before.takenAt > begunAt) return false;
    person.delete(instance);
    return before.contribution !== undefined;
  }

  function forget(instance: string): string[] {
    const changed: string[] = [];
    for (const [key, person] of people) {
      const before = person.get(instance);
      if (before?.contribution) changed.push(key);
      person.delete(instance);
    }
    return changed;
  }

  return {
    track: (key) => {
      if (!people.has(key)) people.set(key, new Map());
    },
    untrack: (key) => void people.delete(key),
    keys: () => people.keys(),
    of: (key) => [...(people.get(key)?.values() ?? [])].flatMap(({ contribution }) => contribution ?? []),
    take: (instance, key, value) => {
      hints += 1;
      return apply(instance, key, value);
    },
    taken: () => hints,
    takeRead,
    forget,
  };
}

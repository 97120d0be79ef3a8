/** Who is there. One connection watches one set of people: those of all stores that somebody listens to. */
import { leave } from '../leave.ts';
import type { ParleyClient as Calls } from '../parley-client.ts';
import { ParleyError } from '../parley-error.ts';
import type { CustomStatus, Presence } from '../types.ts';
import { createDerived, createSource, type Store } from './live-store.ts';

export interface PersonPresence {
  readonly presence: Presence;
  /** What the person says about themselves. */
  readonly status: CustomStatus | null;
}

/** What a `presence` frame tells. */
export interface PresenceChange {
  readonly userId: string;
  readonly status: Presence;
  readonly customStatus?: CustomStatus | null;
}

type People = ReadonlyMap<string, PersonPresence>;

/** The server's bound. */
const watchedMax = 500;
/** Lists of people change together when a view opens. */
const watchPauseMs = 50;

export class PresenceBook {
  readonly #calls: Calls;
  readonly #people = createSource<People>(new Map());
  readonly #stores = new Map<string, Store<People>>();
  /** Those that somebody listens to. */
  readonly #used = new Map<string, readonly string[]>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #onUse: () => void;

  constructor(calls: Calls, onUse: () => void) {
    this.#calls = calls;
    this.#onUse = onUse;
  }

  of(userIds: readonly string[]): Store<People> {
    const ids = [...new Set(userIds)].sort();
    const key = ids.join();
    const known = this.#stores.get(key);
    if (known) return known;
    const made = createDerived([this.#people], (all) => pick(all, ids), {
      onUse: () => {
        this.#onUse();
        this.#used.set(key, ids);
        this.#watchSoon();
      },
      onIdle: () => {
        this.#used.delete(key);
        this.#stores.delete(key);
        this.#watchSoon();
      },
    });
    this.#stores.set(key, made);
    return made;
  }

  /** To be called with each connection: it watches nobody yet. */
  async again(): Promise<void> {
    const asked = [...new Set([...this.#used.values()].flat())].slice(0, watchedMax);
    try {
      const { presence, customStatuses } = await this.#calls.watchPresence(asked);
      const entries = Object.entries(presence).map(
        ([id, each]) => [id, { presence: each, status: customStatuses[id] ?? null }] as const,
      );
      this.#people.set(new Map(entries));
    } catch (error) {
      // Shown without it until the next connection.
      if (!(error instanceof ParleyError)) throw error;
    }
  }

  take({ userId, status, customStatus = null }: PresenceChange): void {
    this.#people.set(new Map(this.#people.get()).set(userId, { presence: status, status: customStatus }));
  }

  #watchSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => leave(this.again()), watchPauseMs);
  }
}

function pick(all: People, ids: readonly string[]): People {
  return new Map(ids.flatMap((id) => (all.has(id) ? [[id, all.get(id)!] as const] : [])));
}

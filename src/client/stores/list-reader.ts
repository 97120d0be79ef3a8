/** A list of a room that is read once somebody asks for it, and follows the room's events then: members, pins. */
import { leave } from '../leave.ts';
import { ParleyError } from '../parley-error.ts';
import type { RoomStore } from '../room-store.ts';
import { createDerived, createSource, isSameLoaded, type Loaded, type LoadedStore, type Store } from './live-store.ts';

interface Reading {
  readonly status: Loaded<unknown>['status'];
  readonly error?: ParleyError;
}

export class ListReader<Item> {
  readonly store: LoadedStore<Loaded<Item>>;
  readonly #reading = createSource<Reading>({ status: 'idle' });
  readonly #read: () => Promise<void>;
  #underWay: Promise<void> | undefined;

  /** @param read reads the list into the room. @throws ParleyError; @param select the list, as the room has it */
  constructor(room: Store<RoomStore>, read: () => Promise<void>, select: (room: RoomStore) => readonly Item[]) {
    this.#read = read;
    const derived = createDerived(
      [room, this.#reading],
      (known, reading): Loaded<Item> => ({ ...reading, items: select(known) }),
      { isSame: isSameLoaded, onUse: () => leave(this.load()) },
    );
    this.store = {
      ...derived,
      load: async () => {
        await this.load();
        return derived.get();
      },
    };
  }

  /** Reads the list, unless it was read. */
  async load(): Promise<void> {
    const { status } = this.#reading.get();
    if (status === 'ready') return;
    this.#underWay ??= this.#readNow().finally(() => {
      this.#underWay = undefined;
    });
    await this.#underWay;
  }

  /** Events were left out. */
  async reload(): Promise<void> {
    const { status } = this.#reading.get();
    if (status === 'idle') return;
    await this.#underWay;
    await this.#readNow();
  }

  /** To be called with each connection: makes up for a read that failed. */
  async again(): Promise<void> {
    if (this.#reading.get().status === 'failed') await this.load();
  }

  clear(): void {
    this.#reading.set({ status: 'idle' });
  }

  async #readNow(): Promise<void> {
    if (this.#reading.get().status !== 'ready') this.#reading.set({ status: 'loading' });
    try {
      await this.#read();
      this.#reading.set({ status: 'ready' });
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      this.#reading.set({ status: 'failed', error });
    }
  }
}

/** The draft of each room and thread, by the id of the room or of the message that starts the thread. It survives a change of rooms and a reload, and is the same in all tabs. */
import type { DeviceStorage, StorageListener } from './device-storage.ts';

export interface Drafts {
  /** @returns an empty text where there is no draft */
  readonly get: (id: string) => string;
  readonly set: (id: string, text: string) => void;
  /** Puts a text before the draft, e.g. a refused message that is to be changed. */
  readonly prepend: (id: string, text: string) => void;
  /** Takes over what another device wrote. */
  readonly replace: (id: string, text: string) => void;
  /** Listens for changes by other tabs and by `prepend`. @returns stops listening */
  readonly onChange: (listener: StorageListener) => () => void;
  readonly keys: () => readonly string[];
  /** Removes all drafts from this device, and keeps no further ones. */
  readonly forget: () => void;
}

export function createDrafts(storage: DeviceStorage): Drafts {
  const listeners = new Set<StorageListener>();
  let forgotten = false;
  return {
    get: storage.get,
    set: (id, text) => {
      if (!forgotten) storage.set(id, text);
    },
    prepend: (id, text) => {
      const before = storage.get(id);
      const now = before === '' ? text : `${text}\n\n${before}`;
      storage.set(id, now);
      for (const listener of listeners) listener(id, { before, now });
    },
    replace: (id, now) => {
      const before = storage.get(id);
      if (forgotten || before === now) return;
      storage.set(id, now);
      for (const listener of listeners) listener(id, { before, now });
    },
    onChange: (listener) => {
      listeners.add(listener);
      const stop = storage.onOtherTab(listener);
      return () => {
        listeners.delete(listener);
        stop();
      };
    },
    keys: storage.keys,
    forget: () => {
      forgotten = true;
      for (const id of storage.keys()) storage.set(id, '');
    },
  };
}

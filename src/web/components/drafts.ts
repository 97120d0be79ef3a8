/** The draft of each room. It survives a change of rooms and a reload, and is the same in all tabs. */
import type { DeviceStorage, StorageListener } from './device-storage.ts';

export interface Drafts {
  /** @returns an empty text where there is no draft */
  readonly get: (roomId: string) => string;
  readonly set: (roomId: string, text: string) => void;
  /** Puts a text before the draft, e.g. a refused message that is to be changed. */
  readonly prepend: (roomId: string, text: string) => void;
  /** Listens for changes by other tabs and by `prepend`. @returns stops listening */
  readonly onChange: (listener: StorageListener) => () => void;
  readonly roomIds: () => readonly string[];
  /** Removes all drafts from this device, and keeps no further ones. */
  readonly forget: () => void;
}

export function createDrafts(storage: DeviceStorage): Drafts {
  const listeners = new Set<StorageListener>();
  let forgotten = false;
  return {
    get: storage.get,
    set: (roomId, text) => {
      if (!forgotten) storage.set(roomId, text);
    },
    prepend: (roomId, text) => {
      const before = storage.get(roomId);
      const now = before === '' ? text : `${text}\n\n${before}`;
      storage.set(roomId, now);
      for (const listener of listeners) listener(roomId, { before, now });
    },
    onChange: (listener) => {
      listeners.add(listener);
      const stop = storage.onOtherTab(listener);
      return () => {
        listeners.delete(listener);
        stop();
      };
    },
    roomIds: storage.keys,
    forget: () => {
      forgotten = true;
      for (const roomId of storage.keys()) storage.set(roomId, '');
    },
  };
}

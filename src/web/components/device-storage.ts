/**
 * Texts that this device keeps for one account. Each has a key of its own, so that two tabs never overwrite each other's texts.
 */

/** `before` and `now` are empty where there was, or is, no text. */
export type StorageListener = (key: string, change: { before: string; now: string }) => void;

export interface DeviceStorage {
  /** @returns an empty text where there is none */
  readonly get: (key: string) => string;
  /** An empty text removes the key. */
  readonly set: (key: string, text: string) => void;
  readonly keys: () => readonly string[];
  /** Listens for changes by other tabs. @returns stops listening */
  readonly onOtherTab: (listener: StorageListener) => () => void;
}

/**
 * @param prefix names the account and the kind of text, e.g. `parley.draft.<userId>.`
 * @param storage `localStorage`; where it is full or forbidden, texts last as long as the page does
 */
export function createDeviceStorage(prefix: string, storage: Storage): DeviceStorage {
  /** Texts that the storage did not accept. */
  const unkept = new Map<string, string>();

  function read(key: string): string | null {
    try {
      return storage.getItem(prefix + key);
    } catch {
      return null;
    }
  }

  return {
    get: (key) => unkept.get(key) ?? read(key) ?? '',
    set: (key, text) => {
      unkept.delete(key);
      try {
        if (text === '') storage.removeItem(prefix + key);
        else storage.setItem(prefix + key, text);
      } catch {
        unkept.set(key, text);
      }
    },
    keys: () => {
      const kept = Object.keys(storage)
        .filter((key) => key.startsWith(prefix))
        .map((key) => key.slice(prefix.length));
      return [...new Set([...kept, ...unkept.keys()])];
    },
    onOtherTab: (listener) => {
      const hear = ({ key, oldValue, newValue, storageArea }: StorageEvent) => {
        if (storageArea !== storage || !key?.startsWith(prefix)) return;
        listener(key.slice(prefix.length), { before: oldValue ?? '', now: newValue ?? '' });
      };
      addEventListener('storage', hear);
      return () => removeEventListener('storage', hear);
    },
  };
}

/** Messages that are being edited. The changed text survives a change of rooms and a reload, as a draft does. */
import type { DeviceStorage } from './device-storage.ts';

export interface Edits {
  /** @returns the text so far, or undefined when the message is not being edited */
  readonly get: (messageId: string) => string | undefined;
  /** Begins an edit, or keeps its text so far. */
  readonly set: (messageId: string, text: string) => void;
  readonly end: (messageId: string) => void;
  readonly messageIds: () => ReadonlySet<string>;
}

/**
 * @param storage by message
 * @param onChange called when an edit has begun or ended
 */
export function createEdits(storage: DeviceStorage, onChange: (messageIds: ReadonlySet<string>) => void): Edits {
  const edited = new Set(storage.keys());
  return {
    // A mark before the text, because the text of an edit may be empty.
    get: (messageId) => (edited.has(messageId) ? storage.get(messageId).slice(1) : undefined),
    set: (messageId, text) => {
      storage.set(messageId, `=${text}`);
      if (edited.has(messageId)) return;
      edited.add(messageId);
      onChange(new Set(edited));
    },
    end: (messageId) => {
      storage.set(messageId, '');
      if (edited.delete(messageId)) onChange(new Set(edited));
    },
    messageIds: () => new Set(edited),
  };
}

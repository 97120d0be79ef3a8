/** Keeps the drafts of this device on the server, so that the user's other devices have them. */
import { ClientError, type ParleyClient } from '../../client/parley-client.ts';

/** Written after this pause in typing. */
const pauseMs = 1500;

export interface DraftSync {
  /** The text was changed here. */
  readonly wrote: (place: { readonly roomId: string; readonly threadId?: string | undefined }, text: string) => void;
}

export function createDraftSync(client: Pick<ParleyClient, 'saveDraft'>): DraftSync {
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** What the server has, by the id of the room or thread; absent: nothing. */
  const saved = new Map<string, string>();

  async function save(roomId: string, threadId: string | undefined, text: string): Promise<void> {
    const key = threadId ?? roomId;
    if ((saved.get(key) ?? '') === text) return;
    try {
      await client.saveDraft(roomId, { text, threadId: threadId ?? null });
      saved.set(key, text);
    } catch (error) {
      // This device has it all the same.
      if (!(error instanceof ClientError)) throw error;
    }
  }

  return {
    wrote: ({ roomId, threadId }, text) => {
      const key = threadId ?? roomId;
      clearTimeout(timers.get(key));
      timers.set(
        key,
        setTimeout(() => void save(roomId, threadId, text), pauseMs),
      );
    },
  };
}

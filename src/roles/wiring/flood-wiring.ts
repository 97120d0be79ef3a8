/**
 * Flood detection in the chat role. Each processing instance sees only a part of a sender's messages. The chat instance
 * that holds the sender's connection sees all of them, whichever instance gave the verdict.
 */

import type { Judge } from '../../processing/client/processing-client.ts';
import type { FloodWatch } from '../../processing/engine/flood-watch.ts';
import { withFlood } from '../../processing/engine/flood-watch.ts';

/** Adds the flood label of this instance to every verdict on a message. */
export function watchFloods(judge: Judge, watch: FloodWatch | undefined): Judge {
  if (!watch) return judge;
  return async (draft) => {
    const verdict = await judge(draft);
    const { text, kind, roomId, senderId, key } = draft;
    const task = { text, kind, assess: true, render: true, messageId: key };
    const label = watch(
      { ...task, ...(roomId ? { roomId } : {}), ...(senderId ? { senderId } : {}) },
      verdict.fingerprint,
    );
    // The processing instance has found the flood too.
    return verdict.labels.some(({ name }) => name === label?.name) ? verdict : withFlood(verdict, label);
  };
}

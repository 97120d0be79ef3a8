/**
 * Floods as the chat role sees them. Its calls go to several processing instances, each of which knows a part of what a
 * sender wrote; the chat instance that holds the sender's connection knows all of it, whoever judged, its own engine included.
 */

import type { Judge } from '../../processing/client/processing-client.ts';
import type { FloodWatch } from '../../processing/engine/flood-watch.ts';
import { withFlood } from '../../processing/engine/flood-watch.ts';

/** Adds to every verdict on a message what this instance knows of the flood that it is part of. */
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
    // Known as a flood to the instance that judged.
    return verdict.labels.some(({ name }) => name === label?.name) ? verdict : withFlood(verdict, label);
  };
}

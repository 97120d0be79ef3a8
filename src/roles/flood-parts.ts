/**
 * Floods as the chat role sees them. Its calls go to several processing instances, each of which knows a part of what a
 * sender wrote; the chat instance that holds the sender's connection knows all of it, whoever judged, its own engine included.
 */
import { LRUCache } from 'lru-cache';
import type { FlagListener } from '../chat/messages/message-service.ts';
import type { FloodWatch } from '../processing/engine.ts';
import type { Judge } from '../processing/processing-client.ts';

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
    // What is refused anyway, or known as a flood to the instance that judged, needs no further reason.
    if (!label || verdict.outcome === 'block' || verdict.labels.some(({ name }) => name === label.name)) return verdict;
    const { action = 'flag', ...rest } = label;
    return { ...verdict, outcome: action, labels: [...verdict.labels, rest] };
  };
}

const floodsMax = 10_000;
/** A flood is one matter for moderators, not one for each of its messages. */
const floodEntryMs = 60_000;

/** Passes on one message of each author's flood in a room, and everything that was flagged for more than being one. */
export function oncePerFlood(listener: FlagListener): FlagListener {
  const told = new LRUCache<string, true>({ max: floodsMax, ttl: floodEntryMs });
  return (flagged) => {
    const flood = flagged.verdict.labels.length > 0 && flagged.verdict.labels.every(({ name }) => name === 'flood');
    const key = `${flagged.roomId} ${flagged.authorId}`;
    if (flood && told.has(key)) return;
    if (flood) told.set(key, true);
    listener(flagged);
  };
}

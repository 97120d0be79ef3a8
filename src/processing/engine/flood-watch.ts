/** Keeps the flood window of a process: shows it every judged message once and says what a flood costs. */
import type { Config } from '../../config/load.ts';
import { createFloodWindow, isCopyLabel } from '../../spam/flood.ts';
import { blockedAnyway, confirm, findBlockingSign, type Judged } from '../../spam/second-sign.ts';
import type { TextLabel, TextTask } from './text-task.ts';

/**
 * Sees every judged text once, in order, on the main thread.
 * @returns the label of the flood that the text is part of, and what is done about it; undefined for no flood
 */
export type FloodWatch = (
  task: TextTask,
  fingerprint: string | undefined,
) => (TextLabel & { readonly action?: 'flag' | 'block' }) | undefined;

/** Copies that are counted are those that this process saw; each chat instance counts its own senders' besides. */
export function createFloodWatch(settings: Config['moderation']['flood']): FloodWatch | undefined {
  const { action } = settings;
  if (action === 'off') return undefined;
  const window = createFloodWindow({
    authorCopies: settings.authorCopies,
    authorCopiesMs: settings.authorCopiesWindow,
    roomCopies: settings.roomCopies,
    roomCopiesMs: settings.roomCopiesWindow,
    authorMessages: settings.authorMessages,
    authorMessagesMs: settings.authorMessagesWindow,
    shortLetters: settings.shortLetters,
    shortFactor: settings.shortFactor,
    authorsMax: settings.authorsMax,
    roomsMax: settings.roomsMax,
  });
  return ({ text, kind, senderId, roomId, messageId, sentAtMs }, fingerprint) => {
    // An edit is a copy of its message, and names are no messages.
    if (kind !== 'message' || (senderId === undefined && roomId === undefined)) return undefined;
    const atMs = sentAtMs ?? performance.timeOrigin + performance.now();
    const label = window.see({ text, atMs, authorId: senderId, roomId, messageId, fingerprint });
    return label && { ...label, action };
  };
}

/** The verdict with what the flood adds to it. Copies are a second sign for the score. */
export function withFlood<Verdict extends Judged>(verdict: Verdict, label: ReturnType<FloodWatch>): Verdict {
  // What is refused anyway needs no further reason.
  if (!label || (verdict.outcome === 'block' && !findBlockingSign(verdict))) return verdict;
  const { action = 'flag', ...reason } = label;
  const both = { ...verdict, labels: [...verdict.labels, reason] };
  if (action === 'block') return blockedAnyway(both);
  const confirmed = isCopyLabel(reason) ? confirm(both, 'copies') : undefined;
  return confirmed ?? { ...both, outcome: verdict.outcome === 'block' ? 'block' : 'flag' };
}

/** Detects floods among the texts that a process judges, and applies the deployment's action to them. */
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

/** Counts the copies that this process judged. Each chat instance also counts those of its own senders. */
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
    // An edit is a copy of its message, and names are not messages.
    if (kind !== 'message' || (senderId === undefined && roomId === undefined)) return undefined;
    const atMs = sentAtMs ?? performance.timeOrigin + performance.now();
    const label = window.see({ text, atMs, authorId: senderId, roomId, messageId, fingerprint });
    return label && { ...label, action };
  };
}

/** The verdict with the flood's label and action. Copies are also a second sign for the spam score. */
export function withFlood<Verdict extends Judged>(verdict: Verdict, label: ReturnType<FloodWatch>): Verdict {
  // A text that is refused for another reason needs no further label.
  if (!label || (verdict.outcome === 'block' && !findBlockingSign(verdict))) return verdict;
  const { action = 'flag', ...reason } = label;
  const both = { ...verdict, labels: [...verdict.labels, reason] };
  if (action === 'block') return blockedAnyway(both);
  const confirmed = isCopyLabel(reason) ? confirm(both, 'copies') : undefined;
  return confirmed ?? { ...both, outcome: verdict.outcome === 'block' ? 'block' : 'flag' };
}

/**
 * Drafts between the call and its answer. Each is settled once: by the first verdict, by a refusal, or by its deadline.
 *
 * A draft is: queued (no deadline) → asked (a processing instance has it) → local (the engine of this process has it) →
 * settled. It may skip any of the first three.
 */
import { Failure } from '../../errors.ts';
import { createDeadlines } from './deadlines.ts';
import type { QueuedDraft } from './draft-queue.ts';
import { type FallbackMode, NoVerdict } from './no-verdict.ts';
import type { DraftText, Verdict } from './verdict.ts';

export interface PendingDraft extends QueuedDraft {
  readonly draft: DraftText;
  /** By `performance.now()`; 0 while the draft is queued. */
  deadlineAtMs: number;
  isSettled: boolean;
  readonly resolve: (verdict: Verdict) => void;
  readonly reject: (error: NoVerdict) => void;
}

export interface PendingDraftEvents {
  /** Where verdicts came from; `none`: nobody judged in time. */
  readonly onVerdicts?: (source: 'remote' | 'local' | 'none', count: number) => void;
  /** Milliseconds from the call to its verdict, or to the end of its time. */
  readonly onJudged?: (milliseconds: number) => void;
}

export interface PendingDrafts {
  /** Starts the deadline of drafts that processing instances are asked about. */
  readonly startRemote: (entries: readonly PendingDraft[], deadlineAtMs: number) => void;
  /** Gives drafts the deadline of the engine of this process, counted from the call of each. */
  readonly startLocal: (entries: readonly PendingDraft[], timeoutMs: number) => void;
  /** Answers the drafts that have no answer yet; a later verdict of another source is dropped. */
  readonly accept: (entries: readonly PendingDraft[], verdicts: readonly Verdict[], source: 'remote' | 'local') => void;
  readonly refuse: (entries: readonly PendingDraft[], cause: unknown) => void;
  /** Refuses all drafts that have a deadline. */
  readonly stop: (cause: Failure) => void;
}

export function createPendingDrafts(fallback: FallbackMode, events: PendingDraftEvents): PendingDrafts {
  const dueMs = ({ deadlineAtMs }: PendingDraft) => deadlineAtMs;
  const onDue = (late: readonly PendingDraft[]) => refuse(late, new Failure('unavailable', 'the time is up'));
  // Two lists, because each must be in the order of its deadlines.
  const remote = createDeadlines<PendingDraft>(dueMs, onDue);
  const local = createDeadlines<PendingDraft>(dueMs, onDue);

  function settle(entry: PendingDraft): boolean {
    if (entry.isSettled) return false;
    entry.isSettled = true;
    remote.delete(entry);
    local.delete(entry);
    events.onJudged?.(performance.now() - entry.startedMs);
    return true;
  }

  function accept(entries: readonly PendingDraft[], verdicts: readonly Verdict[], source: 'remote' | 'local'): void {
    let count = 0;
    for (const [index, entry] of entries.entries()) {
      if (!settle(entry)) continue;
      count++;
      entry.resolve(verdicts[index]!);
    }
    if (count > 0) events.onVerdicts?.(source, count);
  }

  function refuse(entries: readonly PendingDraft[], cause: unknown): void {
    const refused = entries.filter(settle);
    for (const entry of refused) entry.reject(new NoVerdict(fallback, cause));
    if (refused.length > 0) events.onVerdicts?.('none', refused.length);
  }

  return {
    startRemote: (entries, deadlineAtMs) => {
      for (const entry of entries) {
        entry.deadlineAtMs = deadlineAtMs;
        remote.add(entry);
      }
    },
    startLocal: (entries, timeoutMs) => {
      for (const entry of entries) {
        remote.delete(entry);
        entry.deadlineAtMs = entry.startedMs + timeoutMs;
        local.add(entry);
      }
    },
    accept,
    refuse,
    stop: (cause) => {
      refuse([...remote.all(), ...local.all()], cause);
      remote.stop();
      local.stop();
    },
  };
}

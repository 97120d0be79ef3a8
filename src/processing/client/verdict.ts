/** What the chat role sends to be judged, and the verdict that it gets. */
import type { RoomPolicy, SenderHistory, TextKind, TextLabel, TextLink, TextResult } from '../engine/text-task.ts';

/** A text before it may be seen by anyone but its sender. */
export interface DraftText {
  /** Identifies the draft in logs and traces: a message id or a client's key. Not sent to the engine. */
  readonly key: string;
  readonly text: string;
  readonly kind: TextKind;
  readonly roomId?: string;
  readonly senderId?: string;
  readonly sender?: SenderHistory;
  readonly policy?: RoomPolicy;
}

export interface Verdict {
  /** A text that could not be judged in time, twice, is a `block` with the label `error`. */
  readonly outcome: 'allow' | 'flag' | 'block';
  /** 0 to 1, calibrated. */
  readonly spamScore: number;
  readonly labels: readonly TextLabel[];
  /** Safe HTML of messages and edits; empty for names and topics. */
  readonly html: string;
  readonly links: readonly TextLink[];
  /** Lower-cased names without the @, each once, in the order of the text. */
  readonly mentions: readonly string[];
  readonly engineVersion: string;
  /** Identifies near-copies of the text; absent for short texts. */
  readonly fingerprint?: string | undefined;
}

/** Turns the engine's result into the chat role's verdict. */
export function toVerdict(result: TextResult, engineVersion: string): Verdict {
  return {
    outcome: result.outcome === 'error' ? 'block' : result.outcome,
    spamScore: result.spamScore,
    labels: result.labels,
    html: result.html,
    links: result.links,
    mentions: [...new Set(result.mentions.map(({ name }) => name.toLowerCase()))],
    engineVersion,
    fingerprint: result.fingerprint,
  };
}

/** Tasks and results of the engine: plain data that is sent to worker threads. */

export type TextKind = 'message' | 'edit' | 'name' | 'topic';
export type PolicyAction = 'off' | 'flag' | 'block';

/** What is known of a sender. Absent fields are unknown. */
export interface SenderHistory {
  readonly accountAgeSeconds?: number;
  /** In all rooms, not counting this one. */
  readonly messagesLastMinute?: number;
  readonly messagesTotal?: number;
  readonly blockedLastDay?: number;
  readonly reportedLastDay?: number;
  /** For direct messages: everybody else in the room has written there. */
  readonly acquainted?: boolean;
}

/** Settings of a room that differ from the deployment's. */
export interface RoomPolicy {
  readonly flagThreshold?: number;
  readonly blockThreshold?: number;
  readonly profanity?: PolicyAction;
  readonly slurs?: PolicyAction;
}

export interface TextTask {
  readonly text: string;
  readonly kind: TextKind;
  /** Which parts of the work are wanted. */
  readonly assess: boolean;
  readonly render: boolean;
  readonly messageId?: string;
  readonly roomId?: string;
  readonly senderId?: string;
  readonly sender?: SenderHistory;
  readonly policy?: RoomPolicy;
  /** When it was sent, milliseconds of any clock. Absent: now. For texts that are judged later. */
  readonly sentAtMs?: number;
}

/** One reason for a verdict. Offsets are UTF-16 units [start, end) of the original text. */
export interface TextLabel {
  readonly name: string;
  /** 0 to 1. */
  readonly score: number;
  readonly start: number;
  readonly end: number;
  readonly matched: string;
  readonly id: string;
}

export interface TextLink {
  readonly url: string;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

export interface TextMention {
  /** The name without the @. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

export interface TextResult {
  /** `error`: the text could not be judged in time, twice. Refuse it. */
  readonly outcome: 'allow' | 'flag' | 'block' | 'error';
  readonly spamScore: number;
  readonly labels: readonly TextLabel[];
  /** Safe HTML; empty for names and topics, and if it was not requested. */
  readonly html: string;
  readonly links: readonly TextLink[];
  readonly mentions: readonly TextMention[];
  /** Identifies near-copies; absent for short texts, and if the text was not assessed. */
  readonly fingerprint?: string | undefined;
}

/** The engine of this process, used by the RPC service and by the chat role. */
export interface TextEngine {
  /**
   * Results in the order of the tasks.
   * @param options.deadlineMs the caller waits this long from now
   * @throws Failure `unavailable` when the queue is full, `request_timeout` at the deadline
   */
  readonly judge: (
    tasks: readonly TextTask[],
    options?: { readonly deadlineMs?: number; readonly signal?: AbortSignal },
  ) => Promise<TextResult[]>;
  /** Identifies the model, lists, rules and weights in use. */
  readonly version: () => string;
}

/** A moderator's decision about a text. */
export interface LearnExample {
  readonly text: string;
  readonly label: 'spam' | 'ham' | 'offensive' | 'clean';
  readonly moderatorId: string;
  /** For a decision on a message: its author and where it is. */
  readonly origin?: { readonly authorId: string; readonly roomId: string; readonly messageId: string };
}

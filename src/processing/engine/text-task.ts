/** What goes into the engine and what comes out: plain data that travels to worker threads. */

export type TextKind = 'message' | 'edit' | 'name' | 'topic';
export type PolicyAction = 'off' | 'flag' | 'block';

/** What is known of a sender; absent means unknown. */
export interface SenderHistory {
  readonly accountAgeSeconds?: number;
  /** In all rooms, without this one. */
  readonly messagesLastMinute?: number;
  readonly messagesTotal?: number;
  readonly blockedLastDay?: number;
  readonly reportedLastDay?: number;
  /** In a direct message: everybody else in it has written there. */
  readonly acquainted?: boolean;
}

/** What a room sets differently from its deployment. */
export interface RoomPolicy {
  readonly flagThreshold?: number;
  readonly blockThreshold?: number;
  readonly profanity?: PolicyAction;
  readonly slurs?: PolicyAction;
}

export interface TextTask {
  readonly text: string;
  readonly kind: TextKind;
  /** Which halves of the work are wanted. */
  readonly assess: boolean;
  readonly render: boolean;
  readonly messageId?: string;
  readonly roomId?: string;
  readonly senderId?: string;
  readonly sender?: SenderHistory;
  readonly policy?: RoomPolicy;
  /** When it was sent, milliseconds of any clock; absent: now. For texts that are judged again later. */
  readonly sentAtMs?: number;
}

/** One reason. Offsets are UTF-16 units [start, end) of the original text. */
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
  /** Without the @. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

export interface TextResult {
  /** `error`: could not be judged within its time, twice. Refuse it. */
  readonly outcome: 'allow' | 'flag' | 'block' | 'error';
  readonly spamScore: number;
  readonly labels: readonly TextLabel[];
  /** Safe HTML; empty for names and topics and when not asked for. */
  readonly html: string;
  readonly links: readonly TextLink[];
  readonly mentions: readonly TextMention[];
  /** By which near-copies are known; absent for short texts and where nothing was assessed. */
  readonly fingerprint?: string | undefined;
}

/** Whatever judges texts: the engine of this process, behind the service or beside the chat role. */
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
  /** Names the model, lists, rules and weights that judge now. */
  readonly version: () => string;
}

/** A moderator's word on a text. */
export interface LearnExample {
  readonly text: string;
  readonly label: 'spam' | 'ham' | 'offensive' | 'clean';
  readonly moderatorId: string;
  /** Of a decision: whose text it is, and where it stands. */
  readonly origin?: { readonly authorId: string; readonly roomId: string; readonly messageId: string };
}

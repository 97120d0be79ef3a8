/** A judged message on its way into the log. */
import type { PublicProfile } from '../../user/profile/profiles.ts';
import type { Actor } from './room-state.ts';
import type { Flag } from './verdict-records.ts';

export interface SendOutcome {
  readonly messageId: string;
  /** 0 while `pending`. */
  readonly seq: number;
  /** Milliseconds since the epoch, Postgres' clock. */
  readonly atMs: number;
  /** The key had been used before, with the same content. */
  readonly duplicate: boolean;
  /** Stored, and seen by its sender alone until it is judged (`moderation.fallback: pending`). */
  readonly pending?: boolean;
}

export interface PendingSend {
  readonly kind: 'send';
  readonly actor: Actor;
  readonly sessionId: string | undefined;
  readonly sender: PublicProfile;
  readonly messageId: string;
  readonly clientId: string;
  readonly digest: bigint;
  readonly text: string;
  readonly html: string;
  readonly mentions: string[];
  readonly replyTo: string | null;
  /** Recorded for the moderators in the message's commit. */
  readonly flag?: Flag | undefined;
  /** The room's position at which its author might post. */
  readonly allowedAt: number;
  /** Monotonic milliseconds. */
  readonly deadlineMs: number;
  /** Postgres may have seen it: its outcome is unknown until Postgres answers. */
  tried: boolean;
  readonly resolve: (outcome: SendOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** Records of moderators' actions. The audit log itself: moderation/records/audit-log.ts. */
import type { Transaction } from '../../database/connect.ts';

export interface ModeratorAct {
  /** `message.remove`, `member.mute`, `member.ban`, `rule.create` … */
  readonly action: string;
  readonly actorId: string;
  /** Absent: in the deployment. */
  readonly roomId?: string;
  /** The person, message, rule or queue entry that it was about. */
  readonly targetId?: string;
  /** Never message text. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Writes the act down in the transaction that does it: there is no act without its entry. */
export type RecordAct = (tx: Transaction, act: ModeratorAct) => Promise<void>;

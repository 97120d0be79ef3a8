/** Records of verdicts on texts. Moderation stores them; chat only creates them. */
import type { Verdict } from '../../processing/client/processing-client.ts';

/** The part of a verdict that moderators see of a flagged message. */
export type Flag = Pick<Verdict, 'labels' | 'spamScore' | 'engineVersion'>;

/** Records that a text was refused and why, never the text. Awaited before the author gets the refusal. */
export type RecordRefusal = (blocked: {
  roomId: string;
  authorId: string;
  kind: 'message' | 'edit';
  verdict: Pick<Verdict, 'labels' | 'engineVersion'>;
}) => Promise<void>;

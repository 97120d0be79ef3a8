/**
 * Who wrote a text that would be refused for its spam score alone. Asked for only then: nearly no message is, and the
 * facts cost a query.
 */
import { findBlockingSign, type NewcomerSettings, reconsider } from '../../spam/second-sign.ts';
import type { SenderHistory } from '../engine/text-task.ts';
import type { Judge } from './processing-client.ts';

/** @param about.messagesMax more messages need not be counted */
type FindSenderFacts = (about: {
  readonly userId: string;
  readonly roomId: string | undefined;
  readonly messagesMax: number;
}) => Promise<SenderHistory>;

/** Asks the verdict again with what is known of the sender, where it blocks for the spam score and a second sign. */
export function lookUpSenders(judge: Judge, findFacts: FindSenderFacts, settings: NewcomerSettings): Judge {
  return async (draft) => {
    const verdict = await judge(draft);
    const { senderId: userId, roomId } = draft;
    if (!userId || findBlockingSign(verdict) === undefined) return verdict;
    const facts = await findFacts({ userId, roomId, messagesMax: settings.newcomerMessages });
    return reconsider(verdict, facts, settings);
  };
}

/**
 * Looks up the sender of a text that would be refused because of its spam score and newness. Only then, because the lookup costs a
 * query and hardly any message needs it.
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

/** Wraps `judge`: if a verdict blocks because of a second sign, it is reconsidered with what is known of the sender. */
export function lookUpSenders(judge: Judge, findFacts: FindSenderFacts, settings: NewcomerSettings): Judge {
  return async (draft) => {
    const verdict = await judge(draft);
    const { senderId: userId, roomId } = draft;
    if (!userId || findBlockingSign(verdict) === undefined) return verdict;
    const facts = await findFacts({ userId, roomId, messagesMax: settings.newcomerMessages });
    return reconsider(verdict, facts, settings);
  };
}

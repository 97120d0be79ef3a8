/**
 * Adjusts the score of a text by the sender's record. A record only moves scores that the text leaves open: a good one does not
 * excuse obvious spam, and a bad one does not turn an ordinary text into a block.
 */

/** What is known of a sender. Absent fields are unknown and change nothing. */
export interface SenderRecord {
  readonly accountAgeSeconds?: number;
  readonly messagesLastMinute?: number;
  readonly messagesTotal?: number;
  readonly blockedLastDay?: number;
  readonly reportedLastDay?: number;
  /** For direct messages: everybody else in the room has written there. */
  readonly acquainted?: boolean;
}

/** Log-odds for each doubling of the texts blocked or reported in the last day. */
const perDoubling = 0.6;
const worstMax = 2.5;
const youngSeconds = 600;
const young = 0.4;
const hurriedMessages = 20;
const hurried = 0.4;
/** An account this old, with this many messages and no complaints, lowers the score. */
const provenSeconds = 30 * 86_400;
const provenMessages = 100;
const proven = -0.8;

/** @returns log-odds to add to the score; 0 if nothing is known */
export function recordOdds(record: SenderRecord | undefined): number {
  if (!record) return 0;
  const {
    accountAgeSeconds,
    messagesLastMinute = 0,
    messagesTotal = 0,
    blockedLastDay = 0,
    reportedLastDay = 0,
  } = record;
  const complaints = perDoubling * (Math.log2(1 + blockedLastDay) + Math.log2(1 + reportedLastDay));
  const isProven = (accountAgeSeconds ?? 0) >= provenSeconds && messagesTotal >= provenMessages;
  if (complaints === 0 && isProven) return proven;
  const haste = messagesLastMinute > hurriedMessages ? hurried : 0;
  const newcomer = accountAgeSeconds !== undefined && accountAgeSeconds < youngSeconds ? young : 0;
  return Math.min(worstMax, complaints + haste + newcomer);
}

/** Applies log-odds to a score. @param ceiling the threshold for blocking, which the record alone lifts no score to */
export function withRecord(score: number, odds: number, ceiling: number): number {
  if (odds === 0 || score <= 0 || score >= 1) return score;
  const moved = 1 / (1 + ((1 - score) / score) * Math.exp(-odds));
  return odds > 0 && score < ceiling ? Math.min(moved, Math.max(score, ceiling - 0.001)) : moved;
}

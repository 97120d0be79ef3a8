/**
 * What a sender's record adds to the score of a text. It moves what the text itself leaves open and no more: a good record spares
 * nobody an obvious spam, and a bad one makes no block of what is none.
 */

/** Absent: unknown, which counts for nothing. */
export interface SenderRecord {
  readonly accountAgeSeconds?: number;
  readonly messagesLastMinute?: number;
  readonly messagesTotal?: number;
  readonly blockedLastDay?: number;
  readonly reportedLastDay?: number;
  /** In a direct message: everybody else in it has written there. */
  readonly acquainted?: boolean;
}

/** Log-odds for each doubling of what was blocked or reported in a day. */
const perDoubling = 0.6;
const worstMax = 2.5;
const youngSeconds = 600;
const young = 0.4;
const hurriedMessages = 20;
const hurried = 0.4;
/** Known for a month, with something said and nothing to complain of. */
const provenSeconds = 30 * 86_400;
const provenMessages = 100;
const proven = -0.8;

/** Log-odds to add; 0 where nothing is known. */
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

/** A score with the record in it. @param ceiling what the record alone brings no score to: where blocking begins */
export function withRecord(score: number, odds: number, ceiling: number): number {
  if (odds === 0 || score <= 0 || score >= 1) return score;
  const moved = 1 / (1 + ((1 - score) / score) * Math.exp(-odds));
  return odds > 0 && score < ceiling ? Math.min(moved, Math.max(score, ceiling - 0.001)) : moved;
}

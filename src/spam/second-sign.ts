/**
 * When a spam score blocks. A score says what a text looks like, and everyday life looks like spam too: invitations, own
 * projects, jobs, telephone numbers. So a score alone flags; it blocks where a second sign agrees that the text does not
 * show. The sign is named in the label, `model+newcomer`, and a label of that form means that the block rests on it. Pure.
 */

import type { SenderRecord } from './classifier/sender-record.ts';
import type { Label } from './text/label.ts';

/**
 * What is done about a text whose score reaches the threshold for blocking: `auto` blocks it where a second sign agrees and
 * flags it otherwise, `block` blocks it, `flag` never does.
 */
export type SpamAction = 'auto' | 'flag' | 'block';

/** Who is new. */
export interface NewcomerSettings {
  /** Only accounts younger than this are new ones. */
  readonly newcomerSeconds: number;
  /** And only with fewer messages than this. */
  readonly newcomerMessages: number;
}

export interface SignSettings extends NewcomerSettings {
  readonly action: SpamAction;
}

/**
 * Signs that block: `stranger`, nothing is known of the sender, and `newcomer`, a new account's first messages (both only
 * where the score is certain); `complaints`, texts of theirs were refused or reported; `haste`, many messages in a minute;
 * `copies`, near-copies of the text are sent again and again; `link`, the link policy complains; `rule`, a rule of the
 * community hits; `lessons`, the score comes from what moderators taught.
 */
export type SecondSign = 'stranger' | 'newcomer' | 'complaints' | 'haste' | 'copies' | 'link' | 'rule' | 'lessons';

/** Why a score that would block does not: no sign agrees, or the two have talked before. */
type NoSign = 'alone' | 'acquainted';

const shippedSettings: SignSettings = { action: 'auto', newcomerSeconds: 7 * 86_400, newcomerMessages: 10 };
/** Where a sender's newness is the only other sign, what is left of doubt must be this many times smaller. */
const certainty = 5;
/** One report may be a quarrel. */
const reportsMin = 3;
const hurriedMessages = 20;
/** Log-odds that moderators' lessons added to a score, from which the score is theirs. */
const taughtMin = 1;
/** Complaints about links that say nothing of where they lead. */
const plainLinks = new Set(['link-shortener', 'link-private']);
const prefix = 'model+';
/** What stands behind the plus and does not block. */
const passing: readonly string[] = ['alone', 'acquainted', 'sender'];

export interface ScorePolicy {
  /** Scores from which a text is flagged and, where a second sign agrees, blocked. */
  readonly flagThreshold: number;
  readonly blockThreshold: number;
  /** Absent: as the settings ship. */
  readonly spam?: SignSettings;
}

export interface ScoredText {
  /** With the sender's record in it. */
  readonly score: number;
  /** Of the text alone. */
  readonly textScore: number;
  /** That score without what moderators taught; asked for only where it decides. */
  readonly untaught: () => number;
  /** What the link policy says. */
  readonly links: readonly Label[];
  readonly blockedAnyway: boolean;
}

/** What is done about a score that reaches the threshold for flagging, and the id of its label. */
export function judgeScore(
  text: ScoredText,
  sender: SenderRecord | undefined,
  { flagThreshold, blockThreshold, spam = shippedSettings }: ScorePolicy,
): { readonly action: 'flag' | 'block'; readonly id: string } {
  // Whoever reads it is told where the text alone would have passed.
  const id = text.textScore >= flagThreshold ? 'model' : 'model+sender';
  if (text.score < blockThreshold || text.blockedAnyway || spam.action === 'flag') return { action: 'flag', id };
  if (spam.action === 'block') return { action: 'block', id };
  const sign = findSecondSign(text, sender, { ...spam, certain: 1 - (1 - blockThreshold) / certainty });
  return { action: isNoSign(sign) ? 'flag' : 'block', id: signId(sign) };
}

function findSecondSign(
  { score, textScore, untaught, links }: ScoredText,
  sender: SenderRecord | undefined,
  settings: NewcomerSettings & { readonly certain: number },
): SecondSign | NoSign {
  if (sender?.acquainted) return 'acquainted';
  if (links.some(({ id }) => !plainLinks.has(id))) return 'link';
  const { blockedLastDay = 0, reportedLastDay = 0, messagesLastMinute = 0 } = sender ?? {};
  if (blockedLastDay > 0 || reportedLastDay >= reportsMin) return 'complaints';
  if (messagesLastMinute > hurriedMessages) return 'haste';
  if (oddsOf(textScore) - oddsOf(untaught()) >= taughtMin) return 'lessons';
  return (score >= settings.certain && newnessOf(sender, settings)) || 'alone';
}

function isNoSign(sign: SecondSign | NoSign): sign is NoSign {
  return sign === 'alone' || sign === 'acquainted';
}

/** Whether a sender is new; undefined: they are not. */
function newnessOf(
  sender: SenderRecord | undefined,
  { newcomerSeconds, newcomerMessages }: NewcomerSettings,
): 'stranger' | 'newcomer' | undefined {
  const { accountAgeSeconds, messagesTotal } = sender ?? {};
  if (accountAgeSeconds === undefined && messagesTotal === undefined) return 'stranger';
  const isNew = (accountAgeSeconds ?? 0) < newcomerSeconds && (messagesTotal ?? 0) < newcomerMessages;
  return isNew ? 'newcomer' : undefined;
}

function oddsOf(score: number): number {
  return Math.log(score / (1 - score));
}

export interface Judged {
  readonly outcome: 'allow' | 'flag' | 'block' | 'error';
  readonly labels: readonly Label[];
}

function signId(sign: SecondSign | NoSign): string {
  return `${prefix}${sign}`;
}

/** Which sign made the score block; undefined where it did not, or something else blocks as well. */
/** Exported for callers that look up the sender only where it decides. */
export function findBlockingSign({ outcome, labels }: Judged): SecondSign | undefined {
  if (outcome !== 'block') return undefined;
  const id = labels.find((label) => label.name === 'spam')?.id;
  const sign = id?.startsWith(prefix) ? id.slice(prefix.length) : undefined;
  return sign === undefined || passing.includes(sign) ? undefined : (sign as SecondSign);
}

/**
 * The same verdict with a sign that is found later. It takes the place of a sign that rests on who the sender is, which may
 * be looked up again. Undefined where the score does not reach the threshold, or the two have talked before.
 */
export function confirm<Verdict extends Judged>(verdict: Verdict, sign: SecondSign): Verdict | undefined {
  const isAlone = verdict.labels.some(({ name, id }) => name === 'spam' && id === signId('alone'));
  return isAlone || findBlockingSign(verdict) !== undefined ? withSign(verdict, sign) : undefined;
}

function withSign<Verdict extends Judged>(verdict: Verdict, sign: SecondSign | NoSign): Verdict {
  return {
    ...verdict,
    outcome: isNoSign(sign) ? 'flag' : 'block',
    labels: withSpamId(verdict.labels, signId(sign)),
  };
}

/** The same verdict, blocked for a reason of its own: what the score does no longer matters. */
export function blockedAnyway<Verdict extends Judged>(verdict: Verdict): Verdict {
  return { ...verdict, outcome: 'block', labels: withSpamId(verdict.labels, 'model') };
}

function withSpamId(labels: readonly Label[], id: string): readonly Label[] {
  return labels.map((label) => (label.name === 'spam' ? { ...label, id } : label));
}

/**
 * Asks a verdict again once the sender is known: what blocked only because they seemed new is flagged when they are not,
 * and nothing blocks between people who have talked before.
 */
export function reconsider<Verdict extends Judged>(
  verdict: Verdict,
  sender: SenderRecord,
  settings: NewcomerSettings,
): Verdict {
  const sign = findBlockingSign(verdict);
  if (sign === undefined) return verdict;
  if (sender.acquainted) return withSign(verdict, 'acquainted');
  if (sign !== 'stranger' && sign !== 'newcomer') return verdict;
  return withSign(verdict, newnessOf(sender, settings) ?? 'alone');
}

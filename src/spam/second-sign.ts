/**
 * Decides when a spam score blocks. Everyday texts look like spam too: invitations, projects, jobs, phone numbers. So a score
 * alone only flags. It blocks if a second sign, which is not in the text, agrees. The label names the sign
 * (`model+newcomer`), which means that the block depends on it. Pure.
 */

import type { SenderRecord } from './classifier/sender-record.ts';
import type { Label } from './text/label.ts';

/**
 * The action on a text whose score reaches the threshold for blocking: `auto` blocks it if a second sign agrees and flags it
 * otherwise, `block` always blocks it, `flag` never does.
 */
export type SpamAction = 'auto' | 'flag' | 'block';

/** When an account counts as new: both bounds must hold. */
export interface NewcomerSettings {
  /** It is younger than this. */
  readonly newcomerSeconds: number;
  /** It has sent fewer messages than this. */
  readonly newcomerMessages: number;
}

export interface SignSettings extends NewcomerSettings {
  readonly action: SpamAction;
}

/**
 * Signs that make a score block:
 * - `stranger`: nothing is known of the sender; only if the score is certain
 * - `newcomer`: a new account's first messages; only if the score is certain
 * - `complaints`: texts of the sender were refused or reported
 * - `haste`: many messages in a minute
 * - `copies`: near-copies of the text are sent repeatedly
 * - `link`: the link policy labels a link
 * - `rule`: a moderators' rule matches
 * - `lessons`: the score comes from what moderators taught
 */
export type SecondSign = 'stranger' | 'newcomer' | 'complaints' | 'haste' | 'copies' | 'link' | 'rule' | 'lessons';

/** Why a high score does not block: no sign agrees, or the two people have talked before. */
type NoSign = 'alone' | 'acquainted';

const shippedSettings: SignSettings = { action: 'auto', newcomerSeconds: 7 * 86_400, newcomerMessages: 10 };
/** If newness is the only sign, the distance of the score from 1 must be this many times smaller. */
const certainty = 5;
/** Fewer reports may come from one quarrel. */
const reportsMin = 3;
const hurriedMessages = 20;
/** If moderators' lessons added this many log-odds to a score, the score counts as theirs. */
const taughtMin = 1;
/** Link labels that say nothing about where the link leads. */
const plainLinks = new Set(['link-shortener', 'link-private']);
const prefix = 'model+';
/** Suffixes of labels that do not block. */
const passing: readonly string[] = ['alone', 'acquainted', 'sender'];

export interface ScorePolicy {
  /** Scores from which a text is flagged and, where a second sign agrees, blocked. */
  readonly flagThreshold: number;
  readonly blockThreshold: number;
  /** Absent: as the settings ship. */
  readonly spam?: SignSettings;
}

export interface ScoredText {
  /** The score with the sender's record applied. */
  readonly score: number;
  /** The score of the text alone. */
  readonly textScore: number;
  /** `textScore` without what moderators taught. Computed only if it decides. */
  readonly untaught: () => number;
  /** Labels of the link policy. */
  readonly links: readonly Label[];
  readonly blockedAnyway: boolean;
}

/** The action on a score that reaches the threshold for flagging, and the id of its label. */
export function judgeScore(
  text: ScoredText,
  sender: SenderRecord | undefined,
  { flagThreshold, blockThreshold, spam = shippedSettings }: ScorePolicy,
): { readonly action: 'flag' | 'block'; readonly id: string } {
  // The id says so if the text alone would have passed.
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

/** How new a sender is; undefined if they are not new. */
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

/**
 * Which sign made the score block; undefined if none did or if something else blocks too. Callers use it to look the sender up
 * only if that decides.
 */
export function findBlockingSign({ outcome, labels }: Judged): SecondSign | undefined {
  if (outcome !== 'block') return undefined;
  const id = labels.find((label) => label.name === 'spam')?.id;
  const sign = id?.startsWith(prefix) ? id.slice(prefix.length) : undefined;
  return sign === undefined || passing.includes(sign) ? undefined : (sign as SecondSign);
}

/**
 * The same verdict with a sign that was found later. It replaces a sign that depends on the sender, which `reconsider` might
 * take back. Undefined if the score does not reach the threshold, or if the two people have talked before.
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

/** The same verdict, blocked for another reason than the score. */
export function blockedAnyway<Verdict extends Judged>(verdict: Verdict): Verdict {
  return { ...verdict, outcome: 'block', labels: withSpamId(verdict.labels, 'model') };
}

function withSpamId(labels: readonly Label[], id: string): readonly Label[] {
  return labels.map((label) => (label.name === 'spam' ? { ...label, id } : label));
}

/**
 * Corrects a verdict once the sender is known. A text that was blocked only because the sender seemed new is flagged if they
 * are not, and no score blocks between people who have talked before.
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

/** Judges one text: its words, its score, its links, and the action that the deployment's policy takes. Pure. */
import type { Classifier } from './classifier/classifier.ts';
import { recordOdds, type SenderRecord, withRecord } from './classifier/sender-record.ts';
import type { LinkPolicy } from './links/link-policy.ts';
import { judgeScore, type ScorePolicy } from './second-sign.ts';
import type { TermMatcher } from './terms/terms.ts';
import type { Label } from './text/label.ts';
import { fingerprintOf } from './text/minhash.ts';
import type { Normalised } from './text/normalise.ts';
import { flagScore, type ToxicityClassifier } from './toxicity/toxicity.ts';

export type PolicyAction = 'off' | 'flag' | 'block';

export interface AssessPolicy extends ScorePolicy {
  readonly profanity: PolicyAction;
  readonly slurs: PolicyAction;
  /** The gravest action about a link. The default `block` leaves it to the link policy. */
  readonly links?: PolicyAction;
}

export interface Assessment {
  readonly outcome: 'allow' | 'flag' | 'block';
  /** 0 to 1, calibrated. */
  readonly spamScore: number;
  readonly labels: readonly Label[];
  /** Identifies copies of the text; undefined for texts too short to be copies. */
  readonly fingerprint: string | undefined;
}

export interface AssessorParts {
  readonly normalise: (text: string) => Normalised;
  readonly terms: TermMatcher;
  readonly toxicity: ToxicityClassifier;
  readonly classifier: Classifier;
  /** The classifier without what moderators taught. Absent: they taught nothing. */
  readonly untaught?: Classifier | undefined;
  readonly links?: LinkPolicy;
}

/** GTUBE, the standard string for trying a spam filter: always blocked, label `test`. */
const gtube = /XJS\*C4JDBQADN1\.NSBN3\*2IDNEN\*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL\*C\.34X/;
/** Terms with a lower score are flagged, never blocked. */
const graveScore = 0.5;
const rank = { allow: 0, flag: 1, block: 2 } as const;

export function createAssessor({
  normalise,
  terms,
  toxicity,
  classifier,
  untaught,
  links,
}: AssessorParts): (text: string, policy: AssessPolicy, sender?: SenderRecord) => Assessment {
  return (text, policy, sender) => {
    const labels: Label[] = [];
    let outcome = 'allow' as Assessment['outcome'];
    const raise = (to: PolicyAction): void => {
      if (to !== 'off' && rank[to] > rank[outcome]) outcome = to;
    };
    const test = gtube.exec(text);
    if (test) {
      labels.push({
        name: 'test',
        score: 1,
        start: test.index,
        end: test.index + test[0].length,
        matched: test[0],
        id: 'gtube',
      });
      raise('block');
    }
    const normalised = normalise(text);
    const found = terms(normalised, text);
    for (const label of found) {
      const action = label.name === 'slur' ? policy.slurs : policy.profanity;
      if (action === 'off') continue;
      labels.push(label);
      // A term that may be meant well, such as a reclaimed slur, is left to people to decide.
      raise(action === 'block' && label.score < graveScore ? 'flag' : action);
    }
    // A listed word says more than a score over all words, so the score is only computed without one.
    const hostility = labels.length === 0 && policy.profanity !== 'off' ? toxicity.score(normalised, found) : 0;
    if (hostility >= flagScore) {
      labels.push({ name: 'toxicity', score: hostility, start: 0, end: text.length, matched: text, id: 'toxicity' });
      // A toxicity score flags, it never blocks.
      raise('flag');
    }
    const linkLabels: Label[] = [];
    const most = policy.links ?? 'block';
    if (links && most !== 'off')
      for (const { action, label } of links(normalised, text)) {
        linkLabels.push(label);
        raise(most === 'flag' ? 'flag' : action);
      }
    const textScore = classifier.score(normalised, text);
    const spamScore = withRecord(textScore, recordOdds(sender), policy.blockThreshold);
    if (spamScore >= policy.flagThreshold) {
      const scored = {
        score: spamScore,
        textScore,
        untaught: () => untaught?.score(normalised, text) ?? textScore,
        links: linkLabels,
        blockedAnyway: outcome === 'block',
      };
      const { action, id } = judgeScore(scored, sender, policy);
      labels.push({ name: 'spam', score: spamScore, start: 0, end: text.length, matched: '', id });
      raise(action);
    }
    labels.push(...linkLabels);
    return { outcome, spamScore, labels, fingerprint: fingerprintOf(normalised) };
  };
}

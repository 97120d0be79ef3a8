/** Figures of merit of a scorer: higher scores mean "more likely wanted". */

/** Share of pairs (positive, negative) that are ranked right; ties count half. NaN without either. */
export function areaUnderCurve(positives: readonly number[], negatives: readonly number[]): number {
  const all = [
    ...positives.map((score) => ({ score, positive: 1 })),
    ...negatives.map((score) => ({ score, positive: 0 })),
  ];
  all.sort((left, right) => left.score - right.score);
  let rankSum = 0;
  for (let at = 0; at < all.length; ) {
    let end = at;
    while (end < all.length && all[end]!.score === all[at]!.score) end++;
    const rank = (at + 1 + end) / 2;
    for (let each = at; each < end; each++) rankSum += all[each]!.positive * rank;
    at = end;
  }
  const pairs = positives.length * negatives.length;
  return (rankSum - (positives.length * (positives.length + 1)) / 2) / pairs;
}

/** The lowest threshold at which at most `rate` of the negatives score as high or higher. */
export function thresholdAt(negatives: readonly number[], rate: number): number {
  const sorted = [...negatives].sort((left, right) => right - left);
  const allowed = Math.floor(sorted.length * rate);
  // Just above the loudest negative that must stay quiet.
  const loudest = sorted[allowed] ?? Number.NEGATIVE_INFINITY;
  return loudest + Math.max(Number.MIN_VALUE, Math.abs(loudest) * 1e-12);
}

export function shareAtLeast(scores: readonly number[], threshold: number): number {
  return scores.length === 0 ? Number.NaN : scores.filter((score) => score >= threshold).length / scores.length;
}

export interface Confusion {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Share of negatives that were caught. */
  readonly falseAlarms: number;
}

export function confusionAt(positives: readonly number[], negatives: readonly number[], threshold: number): Confusion {
  const hits = positives.filter((score) => score >= threshold).length;
  const alarms = negatives.filter((score) => score >= threshold).length;
  const precision = hits + alarms === 0 ? 1 : hits / (hits + alarms);
  const recall = positives.length === 0 ? Number.NaN : hits / positives.length;
  return {
    precision,
    recall,
    f1: precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall),
    falseAlarms: negatives.length === 0 ? Number.NaN : alarms / negatives.length,
  };
}

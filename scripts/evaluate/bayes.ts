/** The baseline beside which the classifier is shown: naive Bayes over words, as spam filters have been for twenty years. */
import type { Sample } from '../training/corpus.ts';

export function trainBayes(samples: readonly Sample[]): (text: string) => number {
  const counts = new Map<string, [number, number]>();
  const totals: [number, number] = [0, 0];
  for (const { text, spam } of samples) {
    const side = spam ? 1 : 0;
    totals[side]++;
    for (const word of wordsOf(text)) {
      const entry = counts.get(word) ?? [0, 0];
      entry[side]++;
      counts.set(word, entry);
    }
  }
  return (text) => {
    let odds = Math.log((totals[1] + 1) / (totals[0] + 1));
    for (const word of wordsOf(text)) {
      const [ham, spam] = counts.get(word) ?? [0, 0];
      if (ham + spam > 0) odds += Math.log((spam + 0.5) / (totals[1] + 1)) - Math.log((ham + 0.5) / (totals[0] + 1));
    }
    return odds;
  };
}

function wordsOf(text: string): Set<string> {
  return new Set(text.toLowerCase().match(/[\p{L}\p{N}$€£']+/gu) ?? []);
}

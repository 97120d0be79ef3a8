/** Types of `data/moderation/artefacts/terms.json`, the list of offensive words, which `npm run lists` builds. */

export interface TermEntry {
  /** As written in a dictionary; also the label's id. */
  readonly term: string;
  /** The label's name: `profanity`, `slur`, `sexual`, `threat`, `rule`. */
  readonly name: string;
  /** Severity, 0 to 1. */
  readonly score: number;
  /**
   * `strong`: flagged in any disguise. `ambiguous`: has a common innocent sense, so it is flagged only as an insult or in a
   * deliberate disguise. `phrase`: several words. `foreign`: of another language, never joined over spaces.
   */
  readonly kind: 'strong' | 'ambiguous' | 'phrase' | 'foreign';
  /** Other forms, separated by spaces. `variants` are respellings that sound alike. */
  readonly forms?: string;
  readonly variants?: string;
  /** No innocent word contains it, so it is found inside longer words. */
  readonly inside?: boolean;
  readonly lang?: string;
  /** Neighbouring words that give it an innocent sense. */
  readonly senses?: readonly string[];
  /** Languages in which it is an ordinary word. */
  readonly foreign?: readonly string[];
}

/** Word lists are separated by spaces. */
export interface TermLists {
  readonly terms: readonly TermEntry[];
  /** Words that look like a term or a disguised term but are not. */
  readonly innocent: string;
  /** Common words, of which a longer token may consist. */
  readonly words: string;
  /** Rarer words, which the pieces of a cut term may look like. */
  readonly pieces: string;
  /** By letter: characters that may be read as it, besides those that fold to it. */
  readonly readings: Readonly<Record<string, string>>;
  /** Function words by language. */
  readonly markers: Readonly<Record<string, string>>;
}

/** Offensive words as data: `data/moderation/artefacts/terms.json`, made by `npm run lists`. None is in the code. */

export interface TermEntry {
  /** As written in a dictionary; also the label's id. */
  readonly term: string;
  /** The label's name: `profanity`, `slur`, `sexual`, `threat`, `rule`. */
  readonly name: string;
  /** 0 to 1: how grave. */
  readonly score: number;
  /**
   * `strong`: flagged in any disguise. `ambiguous`: means something else as often, flagged as an insult or when somebody
   * took pains to disguise it. `phrase`: several words. `foreign`: of another language, not joined over spaces.
   */
  readonly kind: 'strong' | 'ambiguous' | 'phrase' | 'foreign';
  /** Other forms, and respellings that sound alike, separated by spaces. */
  readonly forms?: string;
  readonly variants?: string;
  /** In no innocent word: recognised inside longer ones. */
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
  /** Words that look like a term, or a term in disguise, and are none. */
  readonly innocent: string;
  /** Common words: what a longer token may be made of. */
  readonly words: string;
  /** Rarer words that a term may seem to be cut into. */
  readonly pieces: string;
  /** Characters that may be read as a letter besides what they fold to, by that letter. */
  readonly readings: Readonly<Record<string, string>>;
  /** Function words by language. */
  readonly markers: Readonly<Record<string, string>>;
}

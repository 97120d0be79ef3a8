/** One reason for a verdict. Offsets are UTF-16 units [start, end) of the original text. */
export interface Label {
  /** `profanity`, `slur`, `sexual`, `spam`, `test`… */
  readonly name: string;
  /** 0 to 1. */
  readonly score: number;
  readonly start: number;
  readonly end: number;
  readonly matched: string;
  /** The term, rule or model that found it. */
  readonly id: string;
}

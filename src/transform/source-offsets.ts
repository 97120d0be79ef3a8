/**
 * Finds the offsets of parts in the original text. Parts are requested in the order of the text, so each search begins where the last
 * one ended; a block begins at its line. A part that is not found nearby, because it contains an entity or a backslash, gets
 * the offset where the search began: searching to the end of the text each time would take quadratic time.
 */
export interface SourceSpan {
  /** UTF-16 offsets [start, end). */
  readonly start: number;
  readonly end: number;
}

/** A search covers this many characters more than the length of the part. */
const reach = 1024;

export class SourceOffsets {
  readonly #text: string;
  readonly #lines: number[] = [0];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      // Like Markdown, CR LF counts as one line end.
      if (code === 0x0a || (code === 0x0d && text.charCodeAt(index + 1) !== 0x0a)) this.#lines.push(index + 1);
    }
  }

  /** @param line counted from 0 */
  enter(line: number): void {
    this.#at = Math.max(this.#at, this.#lines[line] ?? 0);
  }

  find(written: string): SourceSpan {
    const start = written === '' ? -1 : this.#indexOf(written, this.#at);
    if (start === -1) return { start: this.#at, end: this.#at };
    this.#at = start + written.length;
    return { start, end: this.#at };
  }

  /** The offsets of `[text](address)` as a whole, if its brackets are plain. */
  findLink(text: string): SourceSpan {
    const open = this.#indexOf('[', this.#at);
    if (open === -1) return this.find(text);
    const close = this.#indexOf('](', open);
    const end = close === -1 ? this.#indexOf(']', open) + 1 : this.#indexOf(')', close) + 1;
    if (end <= open) return this.find(text);
    this.#at = end;
    return { start: open, end };
  }

  #indexOf(written: string, from: number): number {
    const found = this.#text.slice(from, from + written.length + reach).indexOf(written);
    return found === -1 ? -1 : from + found;
  }
}

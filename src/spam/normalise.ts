/**
 * Folds a text to what a reader sees in it, with a way back to the original offsets: lower case, no accents, letters of
 * other alphabets that look like Latin ones (UTS #39), styled and enclosed letters (NFKC), nothing invisible, entities
 * and percent escapes of letters read. One pass, linear in the length of the text.
 */

export interface Normalised {
  /** Folded text; ASCII where something Latin could be seen. */
  readonly folded: string;
  /** For each unit of `folded`: where its source began and ended in the original, UTF-16. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Characters that nobody sees, and letters that pretended to be others. */
  readonly hidden: number;
  readonly disguised: number;
}

/** Characters by the Latin letter they look like. */
export type Lookalikes = Readonly<Record<string, string>>;

// Marks, joiners, direction controls, variation selectors, tags, fillers: nothing of it is seen.
const invisible = /\p{M}|\p{Cf}|[\u115f\u1160\u3164\uffa0\u2800]/u;
const entity = /&(?:#(\d{2,6})|#[xX]([0-9a-fA-F]{2,5}));?/y;
const percent = /%([4-7][0-9a-fA-F])/y;

export function createNormaliser(lookalikes: Lookalikes): (text: string) => Normalised {
  const known = new Map<number, string>();

  /** What one code point beyond ASCII folds to; empty for what is not seen. */
  function fold(code: number): string {
    const found = known.get(code);
    if (found !== undefined) return found;
    const folded = foldAnew(String.fromCodePoint(code), code);
    if (known.size < 100_000) known.set(code, folded);
    return folded;
  }

  function foldAnew(character: string, code: number): string {
    if (invisible.test(character)) return '';
    // Regional indicators and negative enclosed letters have no compatibility mapping.
    if (code >= 0x1f1e6 && code <= 0x1f1ff) return String.fromCharCode(97 + code - 0x1f1e6);
    for (const first of [0x1f130, 0x1f150, 0x1f170])
      if (code >= first && code < first + 26) return String.fromCharCode(97 + code - first);
    let folded = '';
    for (const part of character.normalize('NFKD').toLowerCase().normalize('NFKD')) {
      if (invisible.test(part)) continue;
      folded += lookalikes[part] ?? part;
    }
    return folded;
  }

  return (text) => {
    const room = text.length + 16;
    let starts = new Int32Array(room);
    let ends = new Int32Array(room);
    let folded = '';
    let hidden = 0;
    let disguised = 0;

    function put(piece: string, start: number, end: number): void {
      for (let each = 0; each < piece.length; each++) {
        const at = folded.length + each;
        if (at >= starts.length) {
          starts = grown(starts);
          ends = grown(ends);
        }
        starts[at] = start;
        ends[at] = end;
      }
      folded += piece;
    }

    for (let at = 0; at < text.length; ) {
      const code = text.charCodeAt(at);
      if (code < 128) {
        const escaped = code === 38 || code === 37 ? readEscape(text, at) : undefined;
        if (escaped) {
          disguised += 1;
          put(escaped.code < 128 ? String.fromCharCode(lower(escaped.code)) : fold(escaped.code), at, escaped.end);
          at = escaped.end;
          continue;
        }
        put(code >= 65 && code <= 90 ? String.fromCharCode(code + 32) : text[at]!, at, at + 1);
        at += 1;
        continue;
      }
      const point = text.codePointAt(at)!;
      const end = at + (point > 0xffff ? 2 : 1);
      const piece = fold(point);
      if (piece === '') hidden += 1;
      else if (piece.charCodeAt(0) < 128) disguised += 1;
      put(piece, at, end);
      at = end;
    }
    return {
      folded,
      starts: starts.subarray(0, folded.length),
      ends: ends.subarray(0, folded.length),
      hidden,
      disguised,
    };
  };
}

function lower(code: number): number {
  return code >= 65 && code <= 90 ? code + 32 : code;
}

/** A letter or digit written as `&#102;`, `&#x66;` or `%66`. */
function readEscape(text: string, at: number): { code: number; end: number } | undefined {
  const pattern = text.charCodeAt(at) === 38 ? entity : percent;
  pattern.lastIndex = at;
  const found = pattern.exec(text);
  if (!found) return undefined;
  const code =
    pattern === percent ? Number.parseInt(found[1]!, 16) : Number.parseInt(found[1] ?? found[2]!, found[1] ? 10 : 16);
  return code <= 0x10ffff && /[\p{L}\p{N}]/u.test(String.fromCodePoint(code))
    ? { code, end: at + found[0].length }
    : undefined;
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

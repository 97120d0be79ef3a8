/**
 * Folds a text to what a reader sees in it and keeps the original offsets. Folded text is in lower case, without accents and
 * invisible characters; look-alikes of Latin letters (UTS #39) and styled or enclosed letters (NFKC) become plain letters,
 * and entities and percent escapes of letters are decoded. One pass, linear in the length of the text.
 */

export interface Normalised {
  /** Folded text. Whatever looks like a Latin letter is one. */
  readonly folded: string;
  /** For each unit of `folded`: where its source begins and ends in the original, UTF-16. Shared between texts: do not write. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Numbers of invisible characters, and of letters that imitated others. */
  readonly hidden: number;
  readonly disguised: number;
}

/** Characters with the Latin letter that they look like. */
export type Lookalikes = Readonly<Record<string, string>>;

// Marks, joiners, direction controls, variation selectors, tags, fillers.
const invisible = /\p{M}|\p{Cf}|[\u115f\u1160\u3164\uffa0\u2800]/u;
/** Anything that needs more than lower case: beyond ASCII, `%` and `&`. */
const notPlain = /[^\0-$'-\x7f]/;
const entity =
  /&(?:amp;)?(?:#0*(\d{2,6})|#[xX]0*([0-9a-fA-F]{2,5})|([a-zA-Z])(?:acute|grave|circ|uml|tilde|cedil|ring|slash|caron)|(shy|zwn?j|lrm|rlm|ZeroWidthSpace|NoBreak)|(nbsp|ensp|emsp|thinsp));?/y;
const percent = /%([4-7][0-9a-fA-F])/y;
const ampersand = 38;
const percentSign = 37;
const unseen = 0x200b;
/** Most units of one folded character, so that a ligature cannot make a text many times as long. */
const foldedMax = 4;
/** Characters whose folding is cached, besides those that fold to one unit. Others are folded each time. */
const rememberedMax = 100_000;
/** Units of a string made at once: `String.fromCharCode` takes them as arguments. */
const chunk = 4096;

export function createNormaliser(lookalikes: Lookalikes): (text: string) => Normalised {
  const looksLike = new Map(Object.entries(lookalikes).map(([sign, letter]) => [sign.codePointAt(0)!, letter]));
  const known = new Map<number, string>();
  /** By unit: the single unit that it folds to; 0 if there is none or it is not known yet. */
  const single = new Uint16Array(65_536);
  for (let code = 1; code < 128; code++) if (code !== ampersand && code !== percentSign) single[code] = lower(code);
  let places = countUp(1024);
  // Scratch that grows with longer texts. Results are copies of the part that is used.
  let units = new Uint16Array(1024);
  let starts = new Int32Array(1024);
  let ends = new Int32Array(1024);
  const grow = (): void => {
    units = grown(units, new Uint16Array(units.length * 2));
    starts = grown(starts, new Int32Array(units.length));
    ends = grown(ends, new Int32Array(units.length));
  };

  /** What one code point beyond ASCII folds to; empty for invisible ones. */
  function fold(code: number): string {
    const unit = code <= 0xffff ? single[code]! : 0;
    if (unit !== 0) return String.fromCharCode(unit);
    const found = known.get(code);
    if (found !== undefined) return found;
    const folded = foldUncached(String.fromCodePoint(code), code);
    if (folded.length === 1 && code <= 0xffff && !isSurrogate(code)) single[code] = folded.charCodeAt(0);
    else if (known.size < rememberedMax) known.set(code, folded);
    return folded;
  }

  function foldUncached(character: string, code: number): string {
    if (invisible.test(character)) return '';
    // Regional indicators and negative enclosed letters have no compatibility mapping.
    if (code >= 0x1f1e6 && code <= 0x1f1ff) return String.fromCharCode(97 + code - 0x1f1e6);
    for (const first of [0x1f130, 0x1f150, 0x1f170])
      if (code >= first && code < first + 26) return String.fromCharCode(97 + code - first);
    const plain = character.normalize('NFKD').toLowerCase().normalize('NFKD');
    let folded = '';
    // Most characters are plain already.
    if (plain === character) folded = looksLike.get(code) ?? plain;
    else for (const part of plain) if (!invisible.test(part)) folded += looksLike.get(part.codePointAt(0)!) ?? part;
    return folded.slice(0, foldedMax);
  }

  return (text) => {
    if (!notPlain.test(text)) {
      // Most texts: each unit stays itself, so all such texts share the offsets.
      if (places.length <= text.length) places = countUp(text.length * 2);
      const folded = text.toLowerCase();
      const [from, to] = [places.subarray(0, text.length), places.subarray(1, text.length + 1)];
      return { folded, starts: from, ends: to, hidden: 0, disguised: 0 };
    }
    let length = 0;
    let hidden = 0;
    let disguised = 0;

    for (let at = 0; at < text.length; ) {
      const code = text.charCodeAt(at);
      const unit = single[code]!;
      if (unit !== 0) {
        if (code >= 128 && unit < 128) disguised += 1;
        if (length === units.length) grow();
        units[length] = unit;
        starts[length] = at++;
        ends[length++] = at;
        continue;
      }
      let end = at + 1;
      let point = code;
      const escaped = code === ampersand || code === percentSign ? readEscape(text, at) : undefined;
      if (escaped) {
        point = escaped.code;
        end = escaped.end;
        disguised += 1;
      } else if (code >= 0xd800) {
        point = text.codePointAt(at)!;
        if (point > 0xffff) end = at + 2;
      }
      const piece = point < 128 ? String.fromCharCode(lower(point)) : fold(point);
      if (piece === '') hidden += 1;
      else if (code >= 128 && piece.charCodeAt(0) < 128) disguised += 1;
      if (length + piece.length > units.length) grow();
      for (let each = 0; each < piece.length; each++) {
        units[length] = piece.charCodeAt(each);
        starts[length] = at;
        ends[length++] = end;
      }
      at = end;
    }
    return {
      folded: stringOf(units.subarray(0, length)),
      starts: starts.slice(0, length),
      ends: ends.slice(0, length),
      hidden,
      disguised,
    };
  };
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xe000;
}

function lower(code: number): number {
  return code >= 65 && code <= 90 ? code + 32 : code;
}

/** Decodes a letter or digit written as `&#102;`, `&#x66;`, `&eacute;` or `%66`, and invisible entities such as `&shy;`. */
function readEscape(text: string, at: number): { code: number; end: number } | undefined {
  const isEntity = text.charCodeAt(at) === ampersand;
  const pattern = isEntity ? entity : percent;
  pattern.lastIndex = at;
  const found = pattern.exec(text);
  if (!found) return undefined;
  const end = at + found[0].length;
  if (!isEntity) return readable(Number.parseInt(found[1]!, 16), end);
  if (found[3]) return { code: found[3].charCodeAt(0), end };
  if (found[4]) return { code: unseen, end };
  if (found[5]) return { code: 32, end };
  return readable(found[1] ? Number.parseInt(found[1], 10) : Number.parseInt(found[2]!, 16), end);
}

function readable(code: number, end: number): { code: number; end: number } | undefined {
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return undefined;
  return /[\p{L}\p{N}]|[@$!|]/u.test(String.fromCodePoint(code)) || invisible.test(String.fromCodePoint(code))
    ? { code, end }
    : undefined;
}

function countUp(length: number): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: length + 1 }, (_, at) => at);
}

function grown<Kind extends Uint16Array | Int32Array>(array: Kind, larger: Kind): Kind {
  larger.set(array);
  return larger;
}

function stringOf(units: Uint16Array): string {
  if (units.length <= chunk) return String.fromCharCode.apply(null, units as unknown as number[]);
  let text = '';
  for (let at = 0; at < units.length; at += chunk)
    text += String.fromCharCode.apply(null, units.subarray(at, at + chunk) as unknown as number[]);
  return text;
}

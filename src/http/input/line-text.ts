/**
 * One-line texts: display names, room names, topics, names of keys and passkeys, notes.
 *
 * Three kinds of characters get special treatment. Characters that break the line or turn the writing direction are
 * refused. Characters that show nothing are dropped, unless the text needs them: joiners inside emoji and where a script
 * needs them (UAX #31, section 2.3.1), variation selectors and tags after a base they belong to. Every kind of space
 * becomes a plain one. What is left must show something.
 */
import { Failure, type InputPath, invalid } from '../../errors.ts';

/**
 * Letters and symbols whose glyph is empty in every font, although Unicode counts them as letters or symbols: Hangul
 * fillers, the blank Braille pattern, the null notehead, blank hieroglyphs, and the placeholder for embedded objects.
 */
const emptyGlyphs = String.raw`\u115f\u1160\u3164\uffa0\u2800\u{1d159}\u{13441}\u{13442}\ufffc`;
/**
 * Unassigned code points count as visible: a newer Unicode may have made them letters. Those that it may make invisible
 * are reserved already (`Default_Ignorable_Code_Point`). Marks alone are nothing to call a person or a room by.
 */
const visible = new RegExp(
  String.raw`[[\p{L}\p{N}\p{P}\p{S}\p{Cn}]--\p{Default_Ignorable_Code_Point}--\p{Noncharacter_Code_Point}--[${emptyGlyphs}]]`,
  'v',
);

/** Controls, line and paragraph separators, and code points that no text holds. */
const breaksLine = /[\p{Cc}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}\ufff9-\ufffb]/v;
/** Embeddings, overrides and isolates: they reorder whatever is shown after them (UAX #9, section 2). */
const turnsDirection = /[\u202a-\u202e\u2066-\u2069]/;
const refusedAll = new RegExp(`${breaksLine.source}|${turnsDirection.source}`, 'gv');

const spaces = /[\p{Zs}\u2800\u3164\uffa0]+/gv;

/** Scripts whose letters take another shape beside a neighbour: joiners choose the shape. */
const cursive = `[${[
  'Adlam',
  'Arabic',
  'Chorasmian',
  'Hanifi_Rohingya',
  'Mandaic',
  'Manichaean',
  'Mongolian',
  'Nko',
  'Old_Uyghur',
  'Phags_Pa',
  'Psalter_Pahlavi',
  'Sogdian',
  'Syriac',
]
  .map((script) => `\\p{Script=${script}}`)
  .join('')}]`;
/** Scripts that stack consonants: joiners beside a mark choose between the stacked and the plain form. */
const stacking = `[${[
  'Balinese',
  'Batak',
  'Bengali',
  'Bhaiksuki',
  'Brahmi',
  'Chakma',
  'Devanagari',
  'Grantha',
  'Gujarati',
  'Gunjala_Gondi',
  'Gurmukhi',
  'Javanese',
  'Kaithi',
  'Kannada',
  'Khmer',
  'Khojki',
  'Khudawadi',
  'Lepcha',
  'Limbu',
  'Malayalam',
  'Masaram_Gondi',
  'Meetei_Mayek',
  'Modi',
  'Myanmar',
  'Nandinagari',
  'Newa',
  'Oriya',
  'Saurashtra',
  'Sharada',
  'Siddham',
  'Sinhala',
  'Sundanese',
  'Syloti_Nagri',
  'Tai_Tham',
  'Takri',
  'Tamil',
  'Telugu',
  'Tibetan',
  'Tirhuta',
]
  .map((script) => `\\p{Script=${script}}`)
  .join('')}]`;
const stackingMark = String.raw`[${stacking}&&\p{M}]`;
const jamo = String.raw`[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]`;

/**
 * Characters that show nothing by themselves and are kept for what they do to a neighbour. By structure, not by a list of
 * known emoji: sequences that a newer Unicode adds are kept too.
 */
const kept = [
  // Emoji joined to one (UTS #51, section 2.3), and the flags of regions.
  String.raw`(?<=\p{Extended_Pictographic}[\ufe0f\u{1f3fb}-\u{1f3ff}]?)\u200d(?=\p{Extended_Pictographic})`,
  String.raw`(?<=\p{Extended_Pictographic}[\ufe0f\u{1f3fb}-\u{1f3ff}]?)[\u{e0020}-\u{e007e}]+\u{e007f}`,
  // Emoji or text presentation.
  String.raw`(?<=[\p{Emoji}--[0-9#*]])[\ufe0e\ufe0f]`,
  String.raw`(?<=[0-9#*])\ufe0f(?=\u20e3)`,
  // Variants of letters: names in Han are told apart by them.
  String.raw`(?<=\p{Script=Han})[\ufe00-\ufe02\u{e0100}-\u{e01ef}]`,
  String.raw`(?<=[\p{Script=Myanmar}\p{Script=Phags_Pa}\p{Script=Manichaean}])[\ufe00-\ufe0d]`,
  String.raw`(?<=\p{Script=Mongolian})[\u180b-\u180f]`,
  String.raw`(?<=${cursive}\p{M}*)(?:\u200d|\u200c(?=${cursive}))`,
  String.raw`(?<=${stackingMark})(?:\u200d|\u200c(?=${stacking}))`,
  String.raw`(?<=${stacking})[\u200c\u200d](?=${stackingMark})`,
  // Fillers in the place of a missing part of a syllable written in conjoining letters.
  String.raw`(?<=${jamo})[\u115f\u1160]|[\u115f\u1160](?=${jamo})`,
].join('|');
const showsNothing = new RegExp(String.raw`(${kept})|\p{Default_Ignorable_Code_Point}`, 'gv');

/** Marks on one letter. */
const marksMax = {
  /** Of any script. Vietnamese, Arabic and phonetic notation stay below; stacks that leave the line do not. */
  accents: 4,
  /** With those of the letter's own script: the tallest stacks in use are Tibetan. */
  together: 10,
};
const markRun = /\p{M}{5,}/gu;
const accent = /[\p{Script=Inherited}\p{Me}]/u;

export interface LineOptions {
  /** Code points, after cleaning. */
  readonly max: number;
  /** What a longer text is refused with. */
  readonly tooLong?: 'invalid' | 'too_large';
}

/** Whether a reader would see anything of the text. */
export function showsSomething(text: string): boolean {
  return visible.test(text);
}

/**
 * A one-line text as it is stored: in NFC, trimmed, without characters that show nothing.
 *
 * @param path the field, for the complaint
 * @throws Failure `invalid`, or `too_large` where asked for
 */
export function requireLine(text: string, path: InputPath, { max, tooLong = 'invalid' }: LineOptions): string {
  if (!text.isWellFormed()) throw invalid(path, 'holds half a surrogate pair');
  if (breaksLine.test(text)) throw invalid(path, 'must be one line without control characters');
  if (turnsDirection.test(text)) throw invalid(path, 'holds a character that turns the writing direction');
  const clean = clear(text);
  if (!showsSomething(clean)) throw invalid(path, 'must hold something visible');
  if (limitMarks(clean) !== clean) throw invalid(path, 'holds too many marks on one letter');
  if ([...clean].length > max) {
    const message = `at most ${max} characters`;
    throw new Failure(tooLong, `${path.slice(1)}: ${message}`, { errors: [{ path, message }] });
  }
  return clean;
}

/** The same for a field that may be left out: a blank text counts as left out. */
export function readLine(text: string | undefined, path: InputPath, options: LineOptions): string | undefined {
  return text === undefined || text.trim() === '' ? undefined : requireLine(text, path, options);
}

/**
 * Makes a text from an issuer fit. It cannot be refused, because its user did not type it here.
 *
 * @param max code points; a longer text is cut between characters as people see them
 * @returns undefined when nothing of it shows
 */
export function toLine(text: string, max: number): string | undefined {
  const spaced = text.toWellFormed().replace(refusedAll, (each) => (turnsDirection.test(each) ? '' : ' '));
  const clean = cut(limitMarks(clear(spaced)), max).trimEnd();
  return showsSomething(clean) ? clean : undefined;
}

function clear(text: string): string {
  return (
    text
      .normalize('NFC')
      .replace(showsNothing, (each, needed?: string) => needed ?? (each === '\u3164' || each === '\uffa0' ? ' ' : ''))
      // Again: what was dropped may have kept a letter and its accent apart.
      .normalize('NFC')
      .replace(spaces, ' ')
      .trim()
  );
}

/** Drops marks beyond what one letter carries. */
function limitMarks(text: string): string {
  return text.replace(markRun, (run) => {
    let accents = 0;
    const marks = [...run].filter((mark) => !accent.test(mark) || ++accents <= marksMax.accents);
    return marks.slice(0, marksMax.together).join('');
  });
}

const characters = new Intl.Segmenter('en', { granularity: 'grapheme' });

function cut(text: string, max: number): string {
  if ([...text].length <= max) return text;
  let short = '';
  let length = 0;
  for (const { segment } of characters.segment(text)) {
    length += [...segment].length;
    if (length > max) break;
    short += segment;
  }
  return short;
}

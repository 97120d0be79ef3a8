/** Decides by the words around a term what it means: an insult, a bird, or a word of another language. */
import { isNameLike, piecesOf, type Reading } from './term-acceptance.ts';
import { kinds, type Scan } from './term-scan.ts';

/** Words before an ambiguous term that make it an insult, and words that do so with an article between. */
const insulting: ReadonlySet<string> = new Set(
  'you ya u your youre ur stupid dumb fat ugly lying filthy dirty little total complete absolute utter fucking fuckin fking goddamn bloody pathetic such suck sucking sucked lick licking'.split(
    ' ',
  ),
);
const insultingArticle: ReadonlySet<string> = new Set(
  'such being be youre ur are is him her them what like of only suck sucks total'.split(' '),
);
const articles: ReadonlySet<string> = new Set(['a', 'an']);
/** Words that speak about a word: a term in quotation marks near them is quoted, not used. */
const quoting: ReadonlySet<string> = new Set(
  'call calls called calling say says said saying word words term slur slurs insult insults insulting use used using wrote written tweeted posted shouted yelled hear heard spell quote comment offensive unacceptable racist sexist homophobic transphobic bigoted hateful'.split(
    ' ',
  ),
);
const quotes: ReadonlySet<number> = new Set([34, 39, 96, 0x2018, 0x2019, 0x201c, 0x201d, 0x201e, 0xab, 0xbb]);
/** Words before a slur that mark it as reclaimed. */
const own: ReadonlySet<string> = new Set(
  "my our we us im i'm fellow proud as being beautiful lovely dear real these bad love".split(' '),
);
const nearby = 4;
/** Places to the beginning or end of a quotation. */
const quoteReach = 60;
/** Places around a term that are searched. */
const reach = 160;

/** Decides the senses of terms, one text at a time; not reentrant. */
export interface TermContext {
  /** Call it when the scan has changed. */
  readonly begin: () => void;
  /** @returns whether a reading is meant as the term  @param deliberate it is in a deliberate disguise, so it is meant */
  readonly isMeant: (reading: Reading, scan: Scan, deliberate: boolean) => boolean;
}

/** @param markers function words by language */
export function createTermContext(markers: Readonly<Record<string, string>>): TermContext {
  const languages = new Map<string, string[]>();
  for (const [language, words] of Object.entries(markers))
    for (const word of words.split(' ')) languages.set(word, [...(languages.get(word) ?? []), language]);

  // The words of the scan, found once per scan however many terms it holds.
  let isRead = false;
  let starts = new Int32Array(512);
  let ends = new Int32Array(512);
  let wordCount = 0;
  const words = new Map<number, string>();

  function findWords({ kinds: found, count }: Scan): void {
    isRead = true;
    wordCount = 0;
    words.clear();
    if (starts.length <= count / 2) {
      starts = new Int32Array(count);
      ends = new Int32Array(count);
    }
    for (let at = 0; at < count; at++) {
      if (!isWordPlace(found[at]!)) continue;
      starts[wordCount] = at;
      while (at < count && isWordPlace(found[at]!)) at++;
      ends[wordCount++] = at;
    }
  }

  function wordOf({ codes }: Scan, index: number): string {
    const known = words.get(index);
    if (known !== undefined) return known;
    let word = '';
    for (let at = starts[index]!; at < ends[index]!; at++) word += String.fromCodePoint(codes[at]!);
    words.set(index, word);
    return word;
  }

  /** The first word that ends after `place`. */
  function wordAt(place: number): number {
    let low = 0;
    let high = wordCount;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle]! > place) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  return {
    begin: () => {
      isRead = false;
    },
    isMeant: ({ spelling, from, to }, scan, deliberate) => {
      const { entry } = spelling;
      if (deliberate) return true;
      if (!isRead) findWords(scan);
      const first = wordAt(from - reach);
      const own = wordAt(from);
      let next = own;
      while (next < wordCount && starts[next]! < to) next++;
      let last = next;
      while (last < wordCount && starts[last]! < to + reach) last++;
      const isAround = (is: (word: string) => boolean): boolean => {
        for (let at = first; at < last; at++) if ((at < own || at >= next) && is(wordOf(scan, at))) return true;
        return false;
      };
      if (entry.senses && isAround((word) => entry.senses!.includes(word))) return false;
      if (entry.foreign) {
        let here = 0;
        let english = 0;
        for (let at = first; at < last; at++) {
          const found = at < own || at >= next ? languages.get(wordOf(scan, at)) : undefined;
          if (!found) continue;
          const isEnglish = found.includes('en');
          if (isEnglish) english += 1;
          if (entry.foreign.some((language) => found.includes(language))) here += isEnglish ? 0.5 : 1;
        }
        if (here >= 1 && here > english) return false;
      }
      if (entry.name === 'slur' && isQuoted(scan, from, to) && isAround((word) => quoting.has(word))) return false;
      if (entry.kind !== 'ambiguous') return true;
      const wordBefore = (back: number): string | undefined => (own >= back ? wordOf(scan, own - back) : undefined);
      return isInsult(wordBefore(1), wordBefore(2)) && !isNameLike(scan, from, to);
    },
  };
}

function isWordPlace(kind: number): boolean {
  return kind === kinds.letter || kind === kinds.otherLetter || kind === kinds.digit;
}

function isInsult(last = '', lastButOne = ''): boolean {
  return insulting.has(last) || (articles.has(last) && insultingArticle.has(lastButOne));
}

/** Whether a reading is between quotation marks, alone or with other words. */
function isQuoted(scan: Scan, from: number, to: number): boolean {
  let first = from - 1;
  while (first >= 0 && first > from - quoteReach && !isQuote(scan, first, -1)) first -= 1;
  let end = to;
  while (end < scan.count && end < to + quoteReach && !isQuote(scan, end, 1)) end += 1;
  return first >= 0 && first > from - quoteReach && end < scan.count && end < to + quoteReach;
}

/** A quotation mark has no letter on its outer side; an apostrophe has one. */
function isQuote({ codes, kinds: found, count }: Scan, at: number, outwards: -1 | 1): boolean {
  if (!quotes.has(codes[at]!)) return false;
  const outer = at + outwards;
  return outer < 0 || outer >= count || (found[outer] !== kinds.letter && found[outer] !== kinds.otherLetter);
}

/** Whether the words before a slur mark it as reclaimed: `my`, `as a`, `we`. */
export function isReclaimed(scan: Scan, from: number): boolean {
  const before = piecesOf(scan, Math.max(0, from - nearby * 10), from).slice(-nearby);
  return before.some((word) => own.has(word)) && !before.some((word) => insulting.has(word));
}

/**
 * What the classifier sees of a text. Sparse: hashed words, pairs of words, pieces of words, and the families of words
 * (invitations, outlets, money…) with their neighbours, so that what was learned of "visit my page" is known of "peep our
 * stream". Dense: the shape of the text. Everything a spammer can add at no cost (repetition) is damped: each feature
 * counts once. One pass, linear in the length of the text.
 */
import { createHanWords, isHan } from '../text/han-words.ts';
import { hashCode, hashStep, hashText, mix } from '../text/hashing.ts';
import type { Normalised } from '../text/normalise.ts';
import { createLeetReader, createSpelledJoiner } from '../text/spelled.ts';
import {
  addShape,
  createShapeCounts,
  hanEvidenceMin,
  type ShapeCounts,
  shapeNames,
  shapeOf,
} from '../text/text-shape.ts';
import { createWordTrie } from '../text/word-trie.ts';

/** Size of the hashed space; the artefact holds one weight for each. A power of two. */
export const bucketBits = 20;
export const buckets = 1 << bucketBits;
const mask = buckets - 1;
/** Numbers of texts that fit above a bucket in 32 bits. */
const textNumbers = 1 << (32 - bucketBits);
/** ITU-T E.164 has 15; one for luck. */
const phoneDigitsMax = 16;

/** Kinds of sparse features, for training that leaves whole kinds out. */
export const views = { word: 0, pair: 1, piece: 2, family: 3, link: 4 } as const;

/** What the extractor knows of words. */
export interface Lexicon {
  /** Families of words, folded like the texts; a word may belong to several. */
  readonly families: Readonly<Record<string, readonly string[]>>;
  /** Known words, folded, the most common first. */
  readonly vocabulary: readonly string[];
  /** Han characters that are read as others: pairs, parted by spaces. */
  readonly variants: string;
}

/** Reused by the next call of the extractor that made it: copy what must last. */
export interface Features {
  /** Distinct buckets, the first `count` of the array. */
  readonly hashed: Uint32Array;
  /** For each bucket the token that it was first seen at. */
  readonly tokenOf: Uint16Array;
  readonly viewOf: Uint8Array;
  /** For each token where it begins in the folded text. */
  readonly placeOf: Int32Array;
  /** False where the places are those of a text put together anew. */
  placed: boolean;
  count: number;
  tokens: number;
  /** Values 0 to 1, by `shapeNames`. */
  shape: Float32Array;
  /** Share of letters in scripts that the model has seen: beyond them it has no opinion. */
  known: number;
  /** Whether half of the letters and more are Han characters. */
  han: boolean;
}

export type Extractor = (normalised: Normalised, original: string) => Features;

/** UTF-16 units that are looked at in one go; longer texts are cut by the caller. */
export const unitsMax = 4000;
const tokenMax = 24;
const hostMax = 100;
const featuresMax = 16_384;
/** A family is a neighbour of those of this many words before. */
const reach = 5;

// Pseudo families of what is no word.
const linkFamily = 60;
const numberFamily = 61;
const moneyFamily = 62;
const handleFamily = 63;

const hostings =
  'com|net|org|ru|info|biz|xyz|top|online|site|shop|club|io|me|co|uk|vip|live|link|click|tk|ml|ga|cf|gq|gg|tv|be|ly|de|fr|es|it|pl|br|in|us|eu|ca|au|nl|se|store|app|dev|pro|win|bid|loan|space|website|fun|icu|ws|cc|to|gl|gd|ai|su|ua|by|kz|example|test';

/** Classes of UTF-16 units. */
const letter = 1;
const digit = 2;
const coin = 3;
const han = 4;
const classes = new Uint8Array(65_536);
for (let code = 0; code < 65_536; code++) {
  const sign = String.fromCharCode(code);
  if (isHan(sign)) classes[code] = han;
  else if (/\p{L}/u.test(sign)) classes[code] = letter;
  else if (/\p{Nd}/u.test(sign)) classes[code] = digit;
  else if (/\p{Sc}/u.test(sign)) classes[code] = coin;
}
const leetSign = new Uint8Array(128);
for (const sign of '@$!+|(') leetSign[sign.charCodeAt(0)] = 1;
/** What spammers put between the characters of a word. */
const hanGap = new Uint8Array(256);
for (const sign of ' .|/-_*~+=,·') hanGap[sign.charCodeAt(0)] = 1;
/** Characters to a word, about. */
const hanToken = 2;

/** @returns an extractor with buffers of its own */
export function createExtractor({ families, vocabulary, variants }: Lexicon): Extractor {
  const hanWords = createHanWords(families, variants);
  const parted = Object.values(families).map((words) => words.filter((word) => !isHan(word)));
  const known = createWordTrie(vocabulary, parted.flat());
  const readLeet = createLeetReader(known);
  const joinSpelled = createSpelledJoiner(known);
  const wordTrie = new Set(vocabulary.map(hashText));
  const familiesOf = new Map<number, number[]>();
  for (const [id, words] of parted.entries())
    for (const word of words) {
      const hash = hashText(word);
      const ids = familiesOf.get(hash);
      if (!ids) familiesOf.set(hash, [id]);
      else if (!ids.includes(id)) ids.push(id);
    }
  const hostEndings = new Set(hostings.split('|').map(hashText));
  const none: readonly number[] = [];

  const features: Features = {
    hashed: new Uint32Array(featuresMax),
    tokenOf: new Uint16Array(featuresMax),
    viewOf: new Uint8Array(featuresMax),
    placeOf: new Int32Array(unitsMax + 1),
    placed: true,
    count: 0,
    tokens: 0,
    shape: new Float32Array(shapeNames.length),
    known: 1,
    han: false,
  };
  const hanRun = new Uint16Array(unitsMax);
  const hanPlace = new Uint16Array(unitsMax);
  // Telling words in Han characters, as many as are needed for an opinion.
  const telling = new Int32Array(hanEvidenceMin);
  let telltales = 0;
  // Which buckets were seen in this text: open addressing. A slot holds a bucket and above it the number of its text, so that
  // the next text finds all of them empty.
  const slots = new Uint32Array(featuresMax * 2);
  let textNumber = 0;

  function add(hash: number, view: number): void {
    const bucket = hash >>> (32 - bucketBits);
    let slot = Math.imul(bucket, 0x9e3779b1) >>> 17;
    for (let seen = slots[slot]!; seen >>> bucketBits === textNumber; seen = slots[slot]!) {
      if ((seen & mask) === bucket) return;
      slot = (slot + 1) & (slots.length - 1);
    }
    if (features.count >= featuresMax - 1) return;
    slots[slot] = (textNumber << bucketBits) | bucket;
    features.hashed[features.count] = bucket;
    features.tokenOf[features.count] = features.tokens;
    features.viewOf[features.count++] = view;
  }

  // Families of the last words, as a ring: the words' numbers, their hashes and their families.
  const ringToken = new Int32Array(8);
  const ringIds: (readonly number[])[] = new Array<readonly number[]>(8).fill(none);
  let ringNext = 0;
  let previousWord = 0;
  let place = 0;
  let namesEnd = 0;
  let previousIds: readonly number[] = none;
  const present = new Uint8Array(64);
  const presentIds = new Uint8Array(64);

  function addFamilies(ids: readonly number[], hash: number): void {
    for (const id of ids) {
      present[id] = 1;
      add(mix(id + 1, 0x51f15e), views.family);
      // A word beside a family says more than the word alone, and travels further than a pair of words.
      if (previousWord !== 0) add(mix(previousWord, id + 101), views.family);
    }
    for (const id of previousIds) add(mix(id + 201, hash), views.family);
    if (ids.length === 0) return;
    for (let back = 1; back <= 4; back++) {
      const at = (ringNext - back) & 7;
      if (features.tokens - ringToken[at]! > reach) break;
      for (const before of ringIds[at]!) for (const id of ids) add(mix(before + 1, (id + 1) << 8), views.family);
    }
    ringToken[ringNext] = features.tokens;
    ringIds[ringNext] = ids;
    ringNext = (ringNext + 1) & 7;
  }

  function endToken(): void {
    if (features.tokens < unitsMax) features.placeOf[features.tokens] = place;
    features.tokens++;
  }

  /** A word or what stands for one. */
  function addToken(hash: number, ids: readonly number[]): void {
    add(hash, views.word);
    if (previousWord !== 0) add(mix(previousWord, hash), views.pair);
    addFamilies(ids, hash);
    previousWord = hash;
    previousIds = ids;
    endToken();
  }

  /** Pieces of four with the word's ends; short words are their own piece. */
  function addPieces(text: string, start: number, end: number): void {
    let first = 3;
    let second = hashCode(text.charCodeAt(start));
    let third = start + 1 < end ? hashCode(text.charCodeAt(start + 1)) : 4;
    for (let at = start + 2; at <= end; at++) {
      const fourth = at < end ? hashCode(text.charCodeAt(at)) : 4;
      add(mix(mix(first, second), mix(third, fourth) ^ 0x2545f491), views.piece);
      first = second;
      second = third;
      third = fourth;
    }
  }

  function addWord(text: string, start: number, end: number, counts: ShapeCounts): void {
    const stop = Math.min(end, start + tokenMax);
    let hash = 0x811c9dc5;
    let last = 0;
    let repeats = 0;
    for (let at = start; at < stop; at++) {
      const code = text.charCodeAt(at);
      // `freeee` is read as `free`: the third and further letters say nothing.
      repeats = code === last ? repeats + 1 : 0;
      last = code;
      if (repeats === 2) counts.stretched++;
      if (repeats < 2) hash = hashStep(hash, code);
    }
    hash = mix(hash, 1);
    counts.words++;
    if (wordTrie.has(hash)) counts.wordTrie++;
    addToken(hash, familiesOf.get(hash) ?? none);
    addPieces(text, start, stop);
  }

  /** A run of Han characters, with whatever little parts them; past its end. */
  function addHan(text: string, start: number): number {
    let count = 0;
    let end = start;
    for (let at = start; at < text.length && at - end <= 1; at++) {
      const code = text.charCodeAt(at);
      if (classes[code] === han) {
        hanPlace[count] = at;
        hanRun[count++] = hanWords.read(code);
        end = at + 1;
      } else if (code >= 256 || hanGap[code] === 0) break;
    }
    for (let at = 0; at < count; at++) {
      const first = hanRun[at]!;
      if (at + 1 < count) {
        const pair = mix(first, hanRun[at + 1]! ^ 0x4a5e);
        add(pair, views.word);
        if (at + 2 < count) add(mix(pair, hanRun[at + 2]!), views.pair);
      } else if (count === 1) add(mix(first, 0x4a5f), views.word);
      place = hanPlace[at]!;
      hanWords.wordsAt(hanRun, at, count, addHanWord);
      if (at % hanToken === 0) endToken();
    }
    previousWord = 0;
    previousIds = none;
    return end;
  }

  function addHanWord(word: number, ids: readonly number[]): void {
    if (telltales < hanEvidenceMin && !telling.includes(word) && ids.some(hanWords.tells)) telling[telltales++] = word;
    const hash = mix(word, 0x4a60);
    add(hash, views.word);
    addFamilies(ids, hash);
    previousWord = hash;
    previousIds = ids;
  }

  function addLeet(token: string, counts: ShapeCounts): void {
    const word = readLeet(token);
    if (word.length < 2) return;
    if (known.rankOf(word) >= 0) counts.leet++;
    else if (counts.leet < 2) return;
    addWord(word, 0, word.length, counts);
  }

  /** The address that begins at `at`, past its end; its host is read as words. */
  function addLink(text: string, at: number, hostStart: number, counts: ShapeCounts): number {
    let end = hostStart;
    while (end < text.length && isHost(text.charCodeAt(end))) end++;
    const host = text.slice(hostStart, end).replace(/[.-]+$/, '');
    const path = end;
    while (end < text.length && text.charCodeAt(end) > 32 && text.charCodeAt(end) !== 41) end++;
    counts.links++;
    counts.linkUnits += end - at;
    add(mix(end - path > 1 ? 11 : 12, 0x11a5), views.link);
    if (text.slice(path, end).includes('?')) add(mix(13, 0x11a5), views.link);
    const labels = host.split('.').slice(-3);
    // Where it leads on the host: `t.me/+…`, `…/joinchat/…`, `…/watch`.
    const door = path + 1 < end ? /[\p{L}]{1,16}(?![\p{L}\p{N}-])|\+|@/uy : undefined;
    if (door) {
      door.lastIndex = path + 1;
      const found = door.exec(text);
      add(mix(hashText(labels.slice(-2).join('.')), found ? hashText(found[0]) : 0x11aa), views.link);
      if (found) add(mix(hashText(found[0]), 0x11ab), views.link);
    }
    add(mix(hashText(labels.at(-1) ?? ''), 0x11a6), views.link);
    for (const label of labels.slice(0, -1)) {
      const hash = hashText(label.slice(0, tokenMax));
      add(mix(hash, 0x11a7), views.link);
      for (const id of familiesOf.get(hash) ?? none) {
        present[id] = 1;
        add(mix(id + 1, 0x11a8), views.link);
      }
    }
    addToken(mix(0x11a9, 1), [linkFamily]);
    return end;
  }

  function isHost(code: number): boolean {
    return classes[code] === letter || classes[code] === digit || code === 45 || code === 46 || code === 58;
  }

  /** The end of the host name that begins at `start`, when it is one: `name.com` but not `readme.md`. */
  function hostEnd(text: string, start: number, dot: number): number {
    // Names in a row are looked at once, however many of them might begin a host.
    if (dot >= namesEnd) namesEnd = endOfNames(text, dot);
    const end = Math.min(namesEnd, Math.max(dot, start + hostMax));
    const label = text.lastIndexOf('.', end - 1) + 1;
    return label > dot && hostEndings.has(hashText(text.slice(label, end))) ? end : -1;
  }

  /** Where letters, digits, dashes and single dots between them end. */
  function endOfNames(text: string, dot: number): number {
    let end = dot;
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end);
      if (code === 46) {
        const next = end + 1 < text.length ? classes[text.charCodeAt(end + 1)]! : 0;
        if (next !== letter && next !== digit) break;
      } else if (classes[code] !== letter && classes[code] !== digit && code !== 45) break;
    }
    return end;
  }

  function scan(text: string, counts: ShapeCounts): void {
    const size = text.length;
    for (let at = 0; at < size; ) {
      place = at;
      const code = text.charCodeAt(at);
      const kind = classes[code]!;
      if (kind === 0) {
        if (code === 64 && at + 3 < size && classes[text.charCodeAt(at + 1)] === letter)
          at = addHandle(text, at, counts);
        else {
          addShape(counts, code);
          at++;
        }
        continue;
      }
      if (kind === han) {
        at = addHan(text, at);
        continue;
      }
      if (kind === coin) {
        counts.coins++;
        if (at + 1 < size && /[\d\s]/.test(text[at + 1]!)) addToken(mix(0x11b0, 1), [moneyFamily]);
        at++;
        continue;
      }
      let letters = 0;
      let digits = 0;
      let signs = 0;
      let end = at;
      for (; end < size; end++) {
        const each = text.charCodeAt(end);
        const eachKind = classes[each]!;
        if (eachKind === letter) letters++;
        else if (eachKind === digit) digits++;
        else if (each === 39 && end + 1 < size && classes[text.charCodeAt(end + 1)] === letter) continue;
        else if (
          each < 128 &&
          leetSign[each] === 1 &&
          end > at &&
          end + 1 < size &&
          classes[text.charCodeAt(end + 1)] === letter
        )
          signs++;
        else break;
      }
      const next = end < size ? text.charCodeAt(end) : 0;
      if (
        next === 58 &&
        end - at <= 5 &&
        text.startsWith('://', end) &&
        /^h(?:ttps?|xxps?)$/.test(text.slice(at, end))
      ) {
        at = addLink(text, at, end + 3, counts);
        continue;
      }
      if (next === 46 && end + 1 < size && classes[text.charCodeAt(end + 1)]! > 0) {
        const host = hostEnd(text, at, end);
        if (host > 0) {
          at = addLink(text, at, at, counts);
          continue;
        }
      }
      if (next === 64 && end + 1 < size && classes[text.charCodeAt(end + 1)] === letter) {
        counts.emails++;
        at = addHandle(text, end, counts);
        continue;
      }
      if (letters === 0) at = addNumber(text, at, end, counts);
      else {
        addWord(text, at, end, counts);
        if (digits + signs > 0 && letters + digits + signs >= 3) addLeet(text.slice(at, end), counts);
        at = end;
      }
    }
  }

  function addHandle(text: string, at: number, counts: ShapeCounts): number {
    let end = at + 1;
    while (end < text.length && (classes[text.charCodeAt(end)]! > 0 || /[\w.-]/.test(text[end]!))) end++;
    counts.handles++;
    addToken(mix(0x11b1, 1), [handleFamily]);
    return end;
  }

  /** A number by its length; several in a row with little between them are a phone number. */
  function addNumber(text: string, start: number, end: number, counts: ShapeCounts): number {
    let digits = end - start;
    let last = end;
    // More digits than any telephone number has: not looked at again for each number in the row.
    for (let at = end; at < text.length && at - last < 3 && digits <= phoneDigitsMax; at++) {
      const code = text.charCodeAt(at);
      if (classes[code] === digit) {
        digits++;
        last = at + 1;
      } else if (code !== 32 && code !== 45 && code !== 40 && code !== 41 && code !== 46) break;
    }
    if (digits >= 9 && digits <= phoneDigitsMax) {
      counts.phones++;
      addToken(mix(0x11b2, digits), [numberFamily]);
      return last;
    }
    const after = text.charCodeAt(end);
    if (after === 37) counts.percents++;
    if (classes[after] === coin) addToken(mix(0x11b0, 1), [moneyFamily]);
    if (end - start >= 4 && end - start <= 6) counts.shortNumbers++;
    addToken(mix(0x11b3, Math.min(8, end - start)), [numberFamily]);
    // `17` may be leet for `it`, in a text where other words are.
    if (counts.leet >= 2) addLeet(text.slice(start, end), counts);
    return end;
  }

  return (normalised, original) => {
    if (++textNumber === textNumbers) {
      textNumber = 1;
      slots.fill(0);
    }
    features.count = 0;
    features.tokens = 0;
    previousWord = 0;
    previousIds = none;
    ringToken.fill(-100);
    present.fill(0);
    telling.fill(-1);
    telltales = 0;
    namesEnd = 0;
    const folded = normalised.folded.length <= unitsMax ? normalised.folded : normalised.folded.slice(0, unitsMax);
    const counts = createShapeCounts();
    const joined = mayBeSpelled(folded) ? joinSpelled(folded) : undefined;
    if (joined !== undefined) counts.spelled = 1;
    scan(joined ?? folded, counts);
    features.placed = joined === undefined;
    let families = 0;
    for (let id = 0; id < present.length; id++) if (present[id] === 1) presentIds[families++] = id;
    for (let left = 0; left < families; left++)
      for (let right = left + 1; right < families; right++)
        add(mix(presentIds[left]! + 301, (presentIds[right]! + 301) << 8), views.family);
    counts.families = families;
    counts.tokens = features.tokens;
    const reachable = counts.links + counts.handles + counts.phones + counts.emails > 0 ? 1 : 0;
    counts.hanEvidence = telltales + reachable;
    shapeOf(counts, { folded, original, hidden: normalised.hidden }, features.shape);
    features.known = counts.known;
    features.han = counts.hanShare >= 0.5;
    return features;
  };
}

/** Whether at least three single letters follow each other, one sign or a little space apart. */
function mayBeSpelled(text: string): boolean {
  let run = 0;
  let single = false;
  let gap = 0;
  for (let at = 0; at < text.length; at++) {
    const kind = classes[text.charCodeAt(at)]!;
    if (kind === letter || kind === digit) {
      single = gap > 0 || at === 0;
      if (single) run++;
      else run = 0;
      if (run >= 3) {
        const after = at + 1 < text.length ? classes[text.charCodeAt(at + 1)]! : 0;
        if (after !== letter && after !== digit) return true;
      }
      gap = 0;
    } else {
      gap++;
      if (gap > 4) run = 0;
    }
  }
  return false;
}

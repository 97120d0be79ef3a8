/**
 * The walk of a scan through the tree of terms. It begins at one place and follows, for each character, every reading that
 * leads on in the tree: the letter itself, a repeated letter, look-alikes, digits and signs for letters, signs that hide a
 * letter, and interruptions between letters. Each word of the tree that it reaches is offered to `onWord`. Bounded by
 * `state.steps`.
 */
import { runEnd, tagEnd } from './term-edges.ts';
import { type Drawing, drawingsFrom, hardMasks, readingsOfSign, softMasks } from './term-readings.ts';
import { kinds, marks, type Scan } from './term-scan.ts';
import { childOf, rowWidth, type TermTrie } from './term-trie.ts';

/**
 * Where a walk is. The counters are those of the path from its beginning to the place that is looked at: a branch counts up
 * before it goes on and down again when it returns.
 */
export interface WalkState {
  scan: Scan;
  /** Where the walk began. */
  from: number;
  /** It began inside what may be one word: only the plain spelling is looked for. */
  isTight: boolean;
  /** Steps left. Below 0 the walk ends. */
  steps: number;
  /** Interruptions between letters, and how many of them hold a space. */
  gaps: number;
  spaces: number;
  /** Letters hidden by signs that only hide (`*`), and by signs that have other uses. */
  hardMasks: number;
  softMasks: number;
  /** Letters written as digits or signs. */
  leets: number;
  /** Letters written as others that look alike. */
  swaps: number;
}

export interface TermWalk {
  /** Prepares for the text in `state.scan`. Call it once per scan, also after its places were turned or moved. */
  readonly begin: () => void;
  /** Walks from `state.from`. */
  readonly walkFrom: () => void;
}

/** Places of one interruption; a tag of markup may be longer. */
const gapPlacesMax = 6;
const hardMasksMax = 10;
/** Steps that a place costs where more than one child has to be tried. */
const maskCost = 2;
const tagCost = 8;
const lessThan = 60;
const closingBracket = 93;
/** No letter came before that could be repeated. */
const noLetter = -1;

export function createWalkState(scan: Scan): WalkState {
  return {
    scan,
    from: 0,
    isTight: false,
    steps: 0,
    gaps: 0,
    spaces: 0,
    hardMasks: 0,
    softMasks: 0,
    leets: 0,
    swaps: 0,
  };
}

/**
 * @param readings letters that a character of another alphabet is read as
 * @param onWord a word of the tree was read from `state.from` to `to`; `state` says in which disguise
 */
export function createTermWalk(
  state: WalkState,
  trie: TermTrie,
  readings: (code: number) => readonly number[] | undefined,
  onWord: (value: number, to: number) => void,
): TermWalk {
  const drawings = createDrawingCache(state);

  /** @param last the letter before, which may be repeated  @param isFresh an interruption came before: a letter must follow */
  function walk(node: number, at: number, last: number, isFresh: boolean): void {
    if (--state.steps < 0) return;
    const { scan } = state;
    if (!isFresh) {
      const value = trie.values[node]!;
      if (value >= 0) onWord(value, at);
    }
    if (at >= scan.count) return;
    const kind = scan.kinds[at]!;
    if (kind === kinds.letter) walkLetter(node, at, last);
    else if (kind === kinds.otherLetter) walkOtherLetter(node, at, last);
    else if (!state.isTight) walkSign(node, at, last, isFresh);
  }

  function walkLetter(node: number, at: number, last: number): void {
    const { scan } = state;
    const code = scan.codes[at]!;
    const child = trie.children[node * rowWidth + code - 97]!;
    if (child !== 0) walk(child, at + 1, code, false);
    if (code === last) walk(node, runEnd(scan, at), last, false);
    if (state.isTight) return;
    // l and capital I look alike; v, r, u and n may be the beginning of a drawing (`vv` for w).
    if (code === 108) swap(node, at, 105);
    else if (code === 105 && (scan.marks[at]! & marks.upper) !== 0) swap(node, at, 108);
    else if (code === 118 || code === 114 || code === 117 || code === 110) draw(node, at, code);
    if (scan.originals[at]! > 127) walkReadings(node, at, last, code);
  }

  function walkOtherLetter(node: number, at: number, last: number): void {
    const code = state.scan.codes[at]!;
    const child = childOf(trie, node, code);
    if (child !== 0) walk(child, at + 1, code, false);
    if (code === last) walk(node, at + 1, last, false);
    if (!state.isTight) walkReadings(node, at, last, 0);
  }

  /** The letters that the original character looks like. @param plain the letter that was already tried */
  function walkReadings(node: number, at: number, last: number, plain: number): void {
    const others = readings(state.scan.originals[at]!);
    if (!others) return;
    state.swaps++;
    for (const letter of others) if (letter !== plain) step(node, at + 1, letter, last);
    state.swaps--;
  }

  function walkSign(node: number, at: number, last: number, isFresh: boolean): void {
    const { scan } = state;
    const code = scan.codes[at]!;
    const kind = scan.kinds[at]!;
    const mayGoOn = !isFresh && node !== 0 && kind !== kinds.digit;
    if (kind !== kinds.space) {
      state.leets++;
      const letters = readingsOfSign(code);
      if (letters) for (const letter of letters) step(node, at + 1, letter, last);
      if (kind === kinds.sign || kind === kinds.digit) draw(node, at, code);
      state.leets--;
      if (mayGoOn && mayHideLetter(state, code, kind)) mask(node, at, isHardMask(code, kind));
    }
    if (mayGoOn) interrupt(node, at, last);
  }

  function step(node: number, next: number, letter: number, last: number): void {
    const child = childOf(trie, node, letter);
    if (child !== 0) walk(child, next, letter, false);
    if (letter === last) walk(node, next, last, false);
  }

  /** One letter taken for another that looks like it. */
  function swap(node: number, at: number, letter: number): void {
    const child = childOf(trie, node, letter);
    if (child === 0) return;
    state.swaps++;
    walk(child, at + 1, noLetter, false);
    state.swaps--;
  }

  /** Several characters that draw one letter. */
  function draw(node: number, at: number, code: number): void {
    const drawn = drawingsFrom(code);
    if (!drawn) return;
    const asLetter = state.scan.kinds[at] === kinds.letter ? 1 : 0;
    for (let fits = drawings.fitting(at, drawn), each = 0; fits !== 0; fits >>>= 1, each++) {
      if ((fits & 1) === 0) continue;
      const { signs, letter } = drawn[each]!;
      const child = childOf(trie, node, letter);
      if (child === 0) continue;
      state.swaps += asLetter;
      walk(child, at + signs.length, letter, false);
      state.swaps -= asLetter;
    }
  }

  /** A sign that hides one letter, whichever. */
  function mask(node: number, at: number, isHard: boolean): void {
    state.steps -= maskCost;
    if (isHard) state.hardMasks++;
    else state.softMasks++;
    for (let place = node * rowWidth, end = place + rowWidth; place < end; place++) {
      const child = trie.children[place]!;
      if (child !== 0 && child < trie.firstNodes) walk(child, at + 1, noLetter, false);
    }
    if (isHard) state.hardMasks--;
    else state.softMasks--;
  }

  /** Signs, spaces and tags of markup between two letters of one word. */
  function interrupt(node: number, at: number, last: number): void {
    if (state.hardMasks + state.softMasks > 0) return;
    state.steps -= 1;
    const { scan } = state;
    if (scan.codes[at] === lessThan || scan.codes[at] === closingBracket) {
      const tag = tagEnd(scan, at);
      state.steps -= tagCost;
      if (tag > 0) return void resume(node, tag, last, 0);
    }
    let isSpaced = 0;
    let end = at;
    for (; end < scan.count && end - at < gapPlacesMax; end++) {
      const kind = scan.kinds[end]!;
      if (kind <= kinds.digit) break;
      if (kind === kinds.space) isSpaced = 1;
      // A sign may also be the next letter.
      if (end > at && kind !== kinds.space && readingsOfSign(scan.codes[end]!)) resume(node, end, last, isSpaced);
    }
    if (end < scan.count && scan.kinds[end]! <= kinds.digit) resume(node, end, last, isSpaced);
  }

  /** Goes on behind an interruption. */
  function resume(node: number, at: number, last: number, isSpaced: number): void {
    state.gaps++;
    state.spaces += isSpaced;
    walk(node, at, last, true);
    state.gaps--;
    state.spaces -= isSpaced;
  }

  return { begin: drawings.begin, walkFrom: () => walk(0, state.from, noLetter, true) };
}

/** Whether a sign is used only to hide letters, as emoji are here. */
function isHardMask(code: number, kind: number): boolean {
  return kind === kinds.emoji || hardMasks.has(code);
}

/** Whether one more letter of the path may be hidden by this sign. Interrupted words and look-alikes are not masked too. */
function mayHideLetter(state: WalkState, code: number, kind: number): boolean {
  if (state.gaps > 0 || state.swaps > 0) return false;
  return isHardMask(code, kind) ? state.hardMasks < hardMasksMax : state.softMasks < 1 && softMasks.has(code);
}

/** Which drawings fit at a place. Looked up once per place, however many walks pass it. */
function createDrawingCache(state: WalkState) {
  /** A bit for each drawing; below 0 where the place was not looked at yet. */
  let fittingAt = new Int32Array(1024);

  function begin(): void {
    const { count } = state.scan;
    if (fittingAt.length < count) fittingAt = new Int32Array(count * 2);
    fittingAt.fill(-1, 0, count);
  }

  function fitting(at: number, drawn: readonly Drawing[]): number {
    const known = fittingAt[at]!;
    if (known >= 0) return known;
    const { codes } = state.scan;
    let fits = 0;
    for (let each = 0; each < drawn.length; each++) {
      const { signs } = drawn[each]!;
      let next = 1;
      while (next < signs.length && codes[at + next] === signs[next]) next++;
      if (next === signs.length) fits |= 1 << each;
    }
    fittingAt[at] = fits;
    return fits;
  }

  return { begin, fitting };
}

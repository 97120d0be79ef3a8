/**
 * Known words by how common they are, walked letter by letter: who looks for the longest or the best of many words that
 * begin in one place stops where no word goes on, and makes no strings.
 */

/** Where the walk of every word begins. */
export const rootNode = 1;
/** What no word goes on with. */
export const noNode = 0;

export interface KnownWords {
  /** The node behind `node` by a UTF-16 unit; `noNode` where no word goes on with it. */
  readonly next: (node: number, unit: number) => number;
  /** How common the word is that ends in the node, 0 the most; -1 where none ends. */
  readonly rankAt: (node: number) => number;
  /** The same of a whole word. */
  readonly rankOf: (word: string) => number;
}

/** @param words the most common first; all of `others` are as common as the rarest of them */
export function createKnownWords(words: readonly string[], others: Iterable<string>): KnownWords {
  let slots = 1 << 12;
  let mask = slots - 1;
  let parents = new Uint32Array(slots);
  let units = new Uint16Array(slots);
  let children = new Uint32Array(slots);
  const ranks: number[] = [-1, -1];

  function slotOf(node: number, unit: number): number {
    let slot = (Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & mask;
    while (children[slot] !== noNode && (parents[slot] !== node || units[slot] !== unit)) slot = (slot + 1) & mask;
    return slot;
  }

  function grow(): void {
    const [oldParents, oldUnits, oldChildren] = [parents, units, children];
    slots *= 2;
    mask = slots - 1;
    parents = new Uint32Array(slots);
    units = new Uint16Array(slots);
    children = new Uint32Array(slots);
    for (let at = 0; at < oldChildren.length; at++)
      if (oldChildren[at] !== noNode) put(oldParents[at]!, oldUnits[at]!, oldChildren[at]!);
  }

  function put(node: number, unit: number, child: number): void {
    const slot = slotOf(node, unit);
    parents[slot] = node;
    units[slot] = unit;
    children[slot] = child;
  }

  function add(word: string, rank: number): void {
    let node = rootNode;
    for (let at = 0; at < word.length; at++) {
      const unit = word.charCodeAt(at);
      let child = next(node, unit);
      if (child === noNode) {
        child = ranks.push(-1) - 1;
        if (ranks.length * 2 > slots) grow();
        put(node, unit, child);
      }
      node = child;
    }
    if (ranks[node] === -1) ranks[node] = rank;
  }

  function next(node: number, unit: number): number {
    return children[slotOf(node, unit)]!;
  }

  for (const [rank, word] of words.entries()) add(word, rank);
  for (const word of others) add(word, words.length);
  const rankByNode = Int32Array.from(ranks);

  return {
    next,
    rankAt: (node) => rankByNode[node]!,
    rankOf: (word) => {
      let node = rootNode;
      for (let at = 0; at < word.length && node !== noNode; at++) node = next(node, word.charCodeAt(at));
      return node === noNode || node === rootNode ? -1 : rankByNode[node]!;
    },
  };
}

/**
 * A trie of known words, ranked by how common they are. A search for the longest or best of many words at one place walks it
 * unit by unit, stops where no word continues, and creates no strings.
 */

/** The node at which every walk begins. */
export const rootNode = 1;
/** No word continues. */
export const noNode = 0;
/** Numbers per edge; one is padding. */
const edgeWidth = 4;

export interface WordTrie {
  /** The node that a UTF-16 unit leads to from `node`; `noNode` if no word continues with it. */
  readonly next: (node: number, unit: number) => number;
  /** The rank of the word that ends at the node, 0 the most common; -1 if none ends there. */
  readonly rankAt: (node: number) => number;
  /** The rank of a whole word; -1 if it is not known. */
  readonly rankOf: (word: string) => number;
  /** All ranks are below it. */
  readonly ranks: number;
}

/** @param words the most common first; all of `others` are as common as the rarest of them */
export function createWordTrie(words: readonly string[], others: Iterable<string>): WordTrie {
  let slots = 1 << 12;
  let mask = slots - 1;
  // Node, unit and child side by side: a step reads one cache line.
  let edges = new Uint32Array(slots * edgeWidth);
  const ranks: number[] = [-1, -1];

  /** The place in `edges` where the edge is, or may be put. */
  function edgeOf(node: number, unit: number): number {
    const hash = Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b);
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const edge = slot * edgeWidth;
      if (edges[edge + 2] === noNode || (edges[edge] === node && edges[edge + 1] === unit)) return edge;
      slot = (slot + 1) & mask;
    }
  }

  function grow(): void {
    const old = edges;
    slots *= 2;
    mask = slots - 1;
    edges = new Uint32Array(slots * edgeWidth);
    for (let at = 0; at < old.length; at += edgeWidth)
      if (old[at + 2] !== noNode) put(old[at]!, old[at + 1]!, old[at + 2]!);
  }

  function put(node: number, unit: number, child: number): void {
    edges.set([node, unit, child], edgeOf(node, unit));
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
    return edges[edgeOf(node, unit) + 2]!;
  }

  for (const [rank, word] of words.entries()) add(word, rank);
  for (const word of others) add(word, words.length);
  const rankByNode = Int32Array.from(ranks);

  return {
    ranks: words.length + 1,
    next,
    rankAt: (node) => rankByNode[node]!,
    rankOf: (word) => {
      let node = rootNode;
      for (let at = 0; at < word.length && node !== noNode; at++) node = next(node, word.charCodeAt(at));
      return node === noNode || node === rootNode ? -1 : rankByNode[node]!;
    },
  };
}

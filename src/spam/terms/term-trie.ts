/** A trie of words, walked character by character. Words are folded text without spaces. */

/** Children per node in the array: a to z. Others are looked up in a map. */
export const rowWidth = 26;
const firstLetter = 97;

export interface TermTrie {
  /** `rowWidth` places per node: the children for a to z. 0 is none, because no child is the root. */
  readonly children: Int32Array;
  /** Children by other characters, by code point, then by node. */
  readonly others: ReadonlyMap<number, ReadonlyMap<number, number>>;
  /** By UTF-16 unit: 1 if it is in `others`. Most characters are in no word. */
  readonly isOther: Uint8Array;
  /** The value of the word that ends at the node; -1 is none. */
  readonly values: Int32Array;
  /** Nodes below this one lead to words of the first list. */
  readonly firstNodes: number;
}

/** The child of `node` for the code point; 0 is none. */
export function childOf(
  { children, others, isOther }: Pick<TermTrie, 'children' | 'others' | 'isOther'>,
  node: number,
  code: number,
): number {
  const place = code - firstLetter;
  if (place >= 0 && place < rowWidth) return children[node * rowWidth + place]!;
  return isOther[code] === 0 ? 0 : (others.get(code)?.get(node) ?? 0);
}

type Word = readonly [word: string, value: number];

/** If a word occurs twice, its first value counts. Linear in the letters of all words. */
export function createTrie(first: readonly Word[], second: readonly Word[] = []): TermTrie {
  let children = new Int32Array(rowWidth * 1024);
  let values = new Int32Array(1024).fill(-1);
  const others = new Map<number, Map<number, number>>();
  const isOther = new Uint8Array(0x10000);
  let nodes = 1;
  let firstNodes = 1;
  for (const [at, [word, value]] of [...first, ...second].entries()) {
    if (at === first.length) firstNodes = nodes;
    let node = 0;
    for (const character of word) {
      const code = character.codePointAt(0)!;
      let child = childOf({ children, others, isOther }, node, code);
      if (child === 0) {
        child = nodes++;
        if (child >= values.length) {
          children = larger(children, new Int32Array(children.length * 2));
          values = larger(values, new Int32Array(values.length * 2).fill(-1));
        }
        const place = code - firstLetter;
        if (place >= 0 && place < rowWidth) children[node * rowWidth + place] = child;
        else {
          const row = others.get(code) ?? new Map<number, number>();
          others.set(code, row.set(node, child));
          isOther[code] = 1;
        }
      }
      node = child;
    }
    if (node !== 0 && values[node] === -1) values[node] = value;
  }
  return {
    children: children.slice(0, nodes * rowWidth),
    others,
    isOther,
    values: values.slice(0, nodes),
    firstNodes: second.length > 0 ? firstNodes : nodes,
  };
}

function larger(array: Int32Array<ArrayBuffer>, room: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  room.set(array);
  return room;
}

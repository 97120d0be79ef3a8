/** Reads the source tree as a graph: which file imports which, where circles are, and how long functions are. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parseSync } from 'vite';

/** File (from the root) → files that it imports, type imports included. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

const importForms = /^(?:import|export)\s[^;]*?from\s+'(\.[^']+)'|^import\s+'(\.[^']+)'|import\('(\.[^']+)'\)/gms;

/** Reads the relative imports of every file, including `import type`, `export … from`, side effects and `import()`. */
export function readImports(root: string, files: readonly string[]): ImportGraph {
  const graph = new Map<string, string[]>();
  for (const file of files) {
    const text = readFileSync(join(root, file), 'utf8');
    const targets = [...text.matchAll(importForms)]
      .map(([, named, bare, dynamic]) => relative(root, join(root, dirname(file), (named ?? bare ?? dynamic)!)))
      .filter((target) => existsSync(join(root, target)));
    graph.set(file, [...new Set(targets)]);
  }
  return graph;
}

/** Joins the nodes that have the same name, such as the room of a file. Edges within one are dropped. */
export function groupGraph(graph: ImportGraph, nameOf: (file: string) => string): ImportGraph {
  const grouped = new Map<string, Set<string>>();
  for (const [file, targets] of graph) {
    const from = nameOf(file);
    const edges = grouped.get(from) ?? new Set();
    for (const target of targets) if (nameOf(target) !== from) edges.add(nameOf(target));
    grouped.set(from, edges);
  }
  return new Map([...grouped].map(([name, edges]) => [name, [...edges]]));
}

/** Finds the groups of nodes that reach each other (Tarjan 1972, strongly connected components of more than one node). */
export function findCircles(graph: ImportGraph): readonly (readonly string[])[] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const circles: string[][] = [];
  const visit = (node: string): void => {
    order.set(node, order.size);
    lowest.set(node, order.get(node)!);
    open.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!order.has(next)) visit(next);
      if (open.includes(next)) lowest.set(node, Math.min(lowest.get(node)!, lowest.get(next)!));
    }
    if (lowest.get(node) !== order.get(node)) return;
    const circle = open.splice(open.indexOf(node));
    if (circle.length > 1) circles.push(circle.sort());
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return circles;
}

export interface LongFunction {
  readonly name: string;
  /** From the root, with the line where the function begins: `src/chat/x.ts:12`. */
  readonly place: string;
  readonly lines: number;
}

/** An ESTree node. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
const nameIn = (value: unknown): string | undefined =>
  isNode(value) && typeof value.name === 'string' ? value.name : undefined;

/** Lists the functions of a file that have more than `linesMax` lines, the longest first. */
export function findLongFunctions(file: string, text: string, linesMax: number): readonly LongFunction[] {
  const found: LongFunction[] = [];
  const lineAt = (at: number) => text.slice(0, at).split('\n').length;
  const visit = (value: unknown, name: string): void => {
    if (Array.isArray(value)) for (const each of value) visit(each, name);
    if (!isNode(value)) return;
    if (/Function/.test(value.type) && isNode(value.body)) {
      const lines = lineAt(value.end) - lineAt(value.start) + 1;
      const own = nameIn(value.id) ?? name;
      if (lines > linesMax) found.push({ name: own, place: `${file}:${lineAt(value.start)}`, lines });
    }
    const own = nameIn(value.id) ?? nameIn(value.key) ?? (value.type === 'CallExpression' ? name : 'anonymous');
    for (const [key, child] of Object.entries(value)) if (key !== 'type') visit(child, own);
  };
  visit(parseSync(file, text).program, 'anonymous');
  return found.sort((one, other) => other.lines - one.lines);
}

/** Every setting with its path and names, and the search for the setting that a typo meant. */
import { schema } from './schema.ts';
import type { Setting } from './setting.ts';

type Tree = { readonly [key: string]: Tree | Setting<unknown> };

export interface Entry {
  /** `http.port`; `group` is its first part, or empty. */
  readonly path: string;
  readonly group: string;
  readonly setting: Setting<unknown>;
  readonly environmentNames: readonly string[];
}

function isSetting(node: Tree | Setting<unknown>): node is Setting<unknown> {
  return typeof (node as Setting<unknown>).parse === 'function';
}

function flatten(tree: Tree, prefix = ''): Entry[] {
  return Object.entries(tree).flatMap(([key, node]) => {
    const path = prefix ? `${prefix}.${key}` : key;
    if (!isSetting(node)) return flatten(node, path);
    const group = path.includes('.') ? path.slice(0, path.indexOf('.')) : '';
    return [{ path, group, setting: node, environmentNames: [environmentName(path), ...node.aliases] }];
  });
}

/** `notifications.email.delay` → `PARLEY_NOTIFICATIONS_EMAIL_DELAY`, `publicUrl` → `PARLEY_PUBLIC_URL`. */
export function environmentName(path: string): string {
  return `PARLEY_${path
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`;
}

/** Every setting with its path, for `--help`, the docs and the tests. */
export const entries: readonly Entry[] = flatten(schema);

const byPath: ReadonlyMap<string, Entry> = new Map(entries.map((entry) => [entry.path, entry]));

export function findEntry(path: string): Entry | undefined {
  return byPath.get(path);
}

/** Whether a path is a group of settings: `http`, `notifications.email`. */
export function isGroup(path: string): boolean {
  return entries.some((entry) => entry.path.startsWith(`${path}.`));
}

function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const cost = left[i - 1] === right[j - 1] ? 0 : 1;
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + cost));
    }
    row = next;
  }
  return row[right.length]!;
}

/** The candidate with the smallest edit distance. */
export function nearest(name: string, candidates: readonly string[]): string {
  return candidates.reduce((best, each) =>
    distance(name.toLowerCase(), each.toLowerCase()) < distance(name.toLowerCase(), best.toLowerCase()) ? each : best,
  );
}

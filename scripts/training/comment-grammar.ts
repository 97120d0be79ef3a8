/**
 * Writes public comments from the patterns of `spam/comments-own.json`: `{a|b}` is one of, `@name` or `@{name}` one of a
 * list; both nest. There is no free data of public comments to train on that is not somebody's test, so Parley wrote its own.
 */
import { pick, type Random } from './random.ts';

export interface Grammar {
  readonly lists: Readonly<Record<string, string>>;
  readonly spam: Readonly<Record<string, readonly string[]>>;
  readonly ham: Readonly<Record<string, readonly string[]>>;
}

/** One text of a pattern, written with the carelessness of comments. */
export function write(pattern: string, lists: Grammar['lists'], random: Random): string {
  const text = expand(pattern, lists, random)
    .replace(/\s+/g, ' ')
    .replace(/ ([,.!?])/g, '$1')
    .trim();
  return careless(text, random);
}

function expand(pattern: string, lists: Grammar['lists'], random: Random): string {
  let made = '';
  for (let at = 0; at < pattern.length; ) {
    if (pattern[at] === '{') {
      const end = closing(pattern, at);
      made += expand(pick(alternatives(pattern.slice(at + 1, end)), random), lists, random);
      at = end + 1;
      continue;
    }
    const named = /^@(?:\{([a-z]+)\}|([a-z]+))/.exec(pattern.slice(at));
    const list = named ? lists[named[1] ?? named[2]!] : undefined;
    if (named && list !== undefined) {
      made += expand(pick(list.split('|'), random), lists, random);
      at += named[0].length;
      continue;
    }
    made += pattern[at++];
  }
  return made;
}

function closing(pattern: string, start: number): number {
  let depth = 0;
  for (let at = start; at < pattern.length; at++) {
    if (pattern[at] === '{') depth++;
    else if (pattern[at] === '}' && --depth === 0) return at;
  }
  throw new Error(`unclosed: ${pattern}`);
}

/** Split at the bars that are in no inner braces. */
function alternatives(body: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const sign of body) {
    if (sign === '{') depth++;
    if (sign === '}') depth--;
    if (sign === '|' && depth === 0) parts.push('');
    else parts[parts.length - 1] += sign;
  }
  return parts;
}

function careless(text: string, random: Random): string {
  const chance = random();
  if (chance < 0.08) return text.toUpperCase();
  if (chance < 0.4) return text.charAt(0).toUpperCase() + text.slice(1);
  if (chance < 0.5) return text.replace(/[,.!?'](?=\s|$)/g, '');
  if (chance < 0.56) return text.replace(/(?<=\s|^)\p{L}/gu, (first) => first.toUpperCase());
  if (chance < 0.62 && text.length > 12) {
    const at = 3 + Math.floor(random() * (text.length - 6));
    return /\p{L}/u.test(text[at]!) ? text.slice(0, at) + text.slice(at + 1) : text;
  }
  return text;
}

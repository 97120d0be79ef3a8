/**
 * Applies moderators' rules, of a room or of the deployment: words, phrases, regular expressions and links. Words are found
 * in disguise, like shipped terms. Regular expressions run in a linear engine (RE2 syntax: no look-around, no
 * back-references), so no pattern can block a thread. Pure.
 */
import { RE2JS } from 're2js';
import { createTermMatcher, type TermEntry, type TermLists, type TermMatcher } from '../terms/terms.ts';
import type { Label } from '../text/label.ts';
import type { Normalised } from '../text/normalise.ts';
import { findRuleLinks, matchesLink, readLinkPattern } from './rule-links.ts';

export type RuleKind = 'word' | 'phrase' | 'regex' | 'link';

export interface Rule {
  readonly id: string;
  /** Absent: the rule is for the whole deployment. */
  readonly roomId: string | undefined;
  readonly kind: RuleKind;
  readonly pattern: string;
  readonly action: 'flag' | 'block';
}

export interface RuleHits {
  readonly labels: readonly Label[];
  readonly action: 'off' | 'flag' | 'block';
}

/** Compiled rules. */
export interface RuleBook {
  /** The gravest action of the deployment's and the room's rules, with labels; undefined if none matches. */
  readonly match: (text: string, roomId: string | undefined) => RuleHits | undefined;
}

export interface RuleTools {
  readonly normalise: (text: string) => Normalised;
  /** The shipped lists: their innocent and common words are never read as a disguised term. */
  readonly lists: TermLists;
}

/** Longest pattern, UTF-16 units. */
const patternMax = 500;
/** Instructions of one compiled expression. 8,000 characters times so many steps stay well under an item's time limit. */
const programMax = 500;
/** Matches of one rule in one text that are reported. */
const hitsMax = 10;
const hitsTotalMax = 50;
const words = /[\p{L}\p{N}]+/gu;

/** A rule and the span of the original text that it matched. */
interface Hit {
  readonly rule: Rule;
  readonly start: number;
  readonly end: number;
}

type Matcher = (text: string, normalised: Normalised) => Hit[];

/** @returns what is wrong with a rule, in words for its author; undefined if it can be used */
export function findRuleProblem({ kind, pattern }: Pick<Rule, 'kind' | 'pattern'>): string | undefined {
  if (pattern.trim() === '') return 'is empty';
  if (pattern.length > patternMax) return `is longer than ${patternMax} characters`;
  if (kind === 'word' && /\s/.test(pattern.trim())) return 'holds a space: several words are a phrase';
  if (kind === 'link' && !readLinkPattern(pattern))
    return 'is no host and no address, such as example.com or example.com/offers';
  if (kind === 'regex') return findExpressionProblem(pattern);
  return undefined;
}

function findExpressionProblem(pattern: string): string | undefined {
  let expression: RE2JS;
  try {
    expression = compileExpression(pattern);
  } catch (error) {
    const reason = (error as Error).message.replace(/^error parsing regexp: /, '');
    return `is no regular expression of RE2 (without look-around and back-references): ${reason.slice(0, 200)}`;
  }
  const size = expression.programSize();
  if (size > programMax) return `is too large: ${size} steps where ${programMax} are allowed`;
  if (expression.test('')) return 'matches the empty text, and so every message';
  return undefined;
}

/** Most steps per character that a rule's expression takes; 0 for other kinds. */
export function programSizeOf({ kind, pattern }: Pick<Rule, 'kind' | 'pattern'>): number {
  return kind === 'regex' ? compileExpression(pattern).programSize() : 0;
}

function compileExpression(pattern: string): RE2JS {
  return RE2JS.compile(pattern, RE2JS.CASE_INSENSITIVE);
}

/** Compiles rules. A rule that cannot be used is left out, so that it does not disable the others; creating one is refused. */
export function createRuleBook(rules: readonly Rule[], tools: RuleTools): RuleBook {
  const usable = rules.filter((rule) => findRuleProblem(rule) === undefined);
  const byScope = Map.groupBy(usable, ({ roomId }) => roomId);
  const matchers = new Map([...byScope].map(([scope, own]) => [scope, compile(own, tools)]));

  return {
    match: (text, roomId) => {
      const wanted = [matchers.get(undefined), roomId === undefined ? undefined : matchers.get(roomId)].filter(
        (each) => each !== undefined,
      );
      if (wanted.length === 0) return undefined;
      const normalised = tools.normalise(text);
      const hits = distinct(wanted.flatMap((matcher) => matcher(text, normalised)));
      if (hits.length === 0) return undefined;
      return {
        labels: hits.map(({ rule, start, end }) => toLabel(rule, text, start, end)),
        action: hits.some(({ rule }) => rule.action === 'block') ? 'block' : 'flag',
      };
    },
  };
}

/** A match of the plain word and a match of the disguise matcher may be the same: keeps one of them. */
function distinct(hits: readonly Hit[]): Hit[] {
  const kept: Hit[] = [];
  for (const hit of hits) {
    const known = kept.some(({ rule, start, end }) => rule === hit.rule && start <= hit.start && end >= hit.end);
    if (!known && kept.length < hitsTotalMax) kept.push(hit);
  }
  return kept;
}

function toLabel({ id }: Rule, text: string, start: number, end: number): Label {
  return { name: 'rule', score: 1, start, end, matched: text.slice(start, end), id: `rule:${id}` };
}

function compile(rules: readonly Rule[], tools: RuleTools): Matcher {
  const ofKind = (...kinds: RuleKind[]) => rules.filter(({ kind }) => kinds.includes(kind));
  const parts = [
    ...compileWords(ofKind('word', 'phrase'), tools),
    ...ofKind('regex').map(compileRegex),
    ...compileLinks(ofKind('link')),
  ];
  return (text, normalised) => parts.flatMap((part) => part(text, normalised));
}

// ── Words and phrases ──

interface Sequence {
  readonly rule: Rule;
  readonly words: readonly string[];
}

function compileWords(rules: readonly Rule[], tools: RuleTools): Matcher[] {
  if (rules.length === 0) return [];
  const byFirst = new Map<string, Sequence[]>();
  const literal: Rule[] = [];
  const byTerm = new Map<string, Rule>();
  for (const rule of rules) {
    const folded = tools.normalise(rule.pattern.trim()).folded;
    const parts = folded.match(words) ?? [];
    if (parts.length === 0) literal.push(rule);
    else byFirst.set(parts[0]!, [...(byFirst.get(parts[0]!) ?? []), { rule, words: parts }]);
    if (/^[a-z]{3,}$/.test(folded)) byTerm.set(folded, rule);
  }
  return [
    (_text, normalised) => findSequences(byFirst, normalised),
    (text) => literal.flatMap((rule) => findLiteral(rule, text)),
    findDisguised(byTerm, tools),
  ];
}

/** Finds whole words in a row, with any signs and spaces between them. Linear in the words of the text. */
function findSequences(byFirst: ReadonlyMap<string, readonly Sequence[]>, { folded, starts, ends }: Normalised) {
  const found: Hit[] = [];
  const tokens = [...folded.matchAll(words)].map((token) => ({ word: token[0], at: token.index }));
  for (const [index, token] of tokens.entries()) {
    for (const sequence of byFirst.get(token.word) ?? []) {
      if (!sequence.words.every((word, offset) => tokens[index + offset]?.word === word)) continue;
      const last = tokens[index + sequence.words.length - 1]!;
      found.push({ rule: sequence.rule, start: starts[token.at]!, end: ends[last.at + last.word.length - 1]! });
      if (found.length >= hitsMax) return found;
    }
  }
  return found;
}

/** Finds a pattern without letters and digits, for example an emoji. */
function findLiteral(rule: Rule, text: string) {
  const start = text.indexOf(rule.pattern.trim());
  return start === -1 ? [] : [{ rule, start, end: start + rule.pattern.trim().length }];
}

/** The shipped matcher with these words as its list. Finds leet, stretched, split and spelled-out forms. */
function findDisguised(byTerm: ReadonlyMap<string, Rule>, { lists, normalise }: RuleTools): Matcher {
  if (byTerm.size === 0) return () => [];
  const terms: TermEntry[] = [...byTerm].map(([term, { kind }]) => ({
    term,
    name: 'rule',
    score: 1,
    kind: kind === 'phrase' ? 'phrase' : 'strong',
  }));
  const match: TermMatcher = createTermMatcher({ ...lists, terms }, normalise);
  return (text, normalised) =>
    match(normalised, text).flatMap(({ id, start, end }) => {
      const rule = byTerm.get(id.slice('term:'.length));
      return rule ? [{ rule, start, end }] : [];
    });
}

// ── Regular expressions ──

/** Searches the text as it was written, and if that has no match, the folded text. */
function compileRegex(rule: Rule): Matcher {
  const expression = compileExpression(rule.pattern);
  return (text, { folded, starts, ends }) => {
    if (expression.test(text)) return spans(expression, text).map(([start, end]) => ({ rule, start, end }));
    if (folded === text || !expression.test(folded)) return [];
    return spans(expression, folded).map(([from, to]) => ({ rule, start: starts[from]!, end: ends[to - 1]! }));
  };
}

function spans(expression: RE2JS, text: string): [number, number][] {
  const found: [number, number][] = [];
  const matcher = expression.matcher(text);
  while (found.length < hitsMax && matcher.find()) {
    if (matcher.end() > matcher.start()) found.push([matcher.start(), matcher.end()]);
  }
  // Only empty matches, for example a boundary: the label covers the whole text.
  return found.length > 0 ? found : [[0, text.length]];
}

// ── Links ──

function compileLinks(rules: readonly Rule[]): Matcher[] {
  const patterns = rules.flatMap((rule) => {
    const pattern = readLinkPattern(rule.pattern);
    return pattern ? [{ rule, pattern }] : [];
  });
  if (patterns.length === 0) return [];
  return [
    (text) =>
      findRuleLinks(text).flatMap(({ url, start, end }) =>
        patterns.filter(({ pattern }) => matchesLink(url, pattern)).map(({ rule }) => ({ rule, start, end })),
      ),
  ];
}

/**
 * What the tokens around a hostile word say of it: whether it is denied, where it stands to the people that the text names, and
 * whether it is said of them. Each function looks at a bounded number of tokens.
 */
import type { ToneKinds } from './tone-kinds.ts';
import type { ToneToken } from './tone-tokens.ts';

type Tokens = readonly ToneToken[];

/** Position of a hostile word relative to the people that the text names. The numbers are part of the model's features. */
export const positions = { none: 0, before: 1, after: 2, ofThem: 3, predicate: 4, attribute: 5 } as const;

const attributeTokensMax = 4;
/** Denials that begin a question, and those that do so only if a question mark ends it. */
const asking: ReadonlySet<string> = new Set(
  'isnt arent wasnt werent cant wont shouldnt wouldnt couldnt havent hasnt'.split(' '),
);
const perhapsAsking: ReadonlySet<string> = new Set(['dont', 'doesnt', 'didnt']);
const linking: ReadonlySet<string> = new Set('is are was were am be being been like as should must'.split(' '));
/** `i hate that …`, `it when …`: what is hated is nobody. */
const hatesWhat: ReadonlySet<string> = new Set('that it when how what to'.split(' '));
/** Tokens between a group and what is said of it. */
const besideTokensMax = 6;
/** Tokens that a denial of a belief (`i do not think that …`) reaches. */
const beliefTokensMax = 9;
/** "They" refers to people named at most so many clauses before. */
const theyClausesMax = 2;

/** A word of some kinds in the same clause, at most `besideTokensMax` tokens before (`-1`) or after (`1`). */
function isNear(tokens: Tokens, at: number, isKind: readonly boolean[], direction: -1 | 1): boolean {
  const { clause } = tokens[at]!;
  for (let away = 1; away <= besideTokensMax; away++) {
    const token = tokens[at + away * direction];
    if (!token || token.clause !== clause) return false;
    if (token.kind >= 0 && isKind[token.kind]) return true;
  }
  return false;
}

/** Whether a denial stands at most `tokensMax` before, in the same clause. One that asks for consent (`isn't it`) denies nothing. */
export function isDeniedAt(kinds: ToneKinds, tokens: Tokens, at: number, tokensMax: number): boolean {
  const { clause } = tokens[at]!;
  for (let back = at - 1; back >= Math.max(0, at - beliefTokensMax) && tokens[back]!.clause === clause; back--) {
    const { kind, text } = tokens[back]!;
    if (kind !== kinds.negation) continue;
    // `i do not think that …` denies everything that is thought.
    const isBelief = tokens[back + 1]?.kind === kinds.report || tokens[back + 2]?.kind === kinds.report;
    if (at - back > (isBelief ? beliefTokensMax : tokensMax)) return false;
    const isFirst = back === 0 || tokens[back - 1]!.clause !== clause;
    if (!isFirst || !(asking.has(text) || perhapsAsking.has(text))) return true;
    if (perhapsAsking.has(text) && !isQuestion(tokens, back)) return true;
  }
  return false;
}

/**
 * Where the word at `at` stands to the people of `isTarget`.
 * @param lastTarget the last of them up to `at`; -1 is none
 */
export function positionOf(
  kinds: ToneKinds,
  tokens: Tokens,
  at: number,
  isTarget: readonly boolean[],
  lastTarget: number,
): number {
  if (isNear(tokens, at, isTarget, -1)) return isLinked(tokens, at, isTarget) ? positions.predicate : positions.before;
  if (isNear(tokens, at, isTarget, 1))
    return isTarget[tokens[at + 1]?.kind ?? -1] ? positions.attribute : positions.after;
  const isOfThem =
    lastTarget >= 0 &&
    (isNear(tokens, at, kinds.isThey, -1) || isNear(tokens, at, kinds.isThey, 1)) &&
    tokens[at]!.clause - tokens[lastTarget]!.clause <= theyClausesMax;
  return isOfThem ? positions.ofThem : positions.none;
}

/** `women are …`, `women, like …`: said of the group, not only near it. */
function isLinked(tokens: Tokens, at: number, isTarget: readonly boolean[]): boolean {
  for (let back = at - 1; back >= Math.max(0, at - besideTokensMax) && !isTarget[tokens[back]!.kind]; back--)
    if (linking.has(tokens[back]!.text)) return true;
  return false;
}

/** The writer says it (`i think`), or the group is its subject (`women who`): nothing is reported. */
export function isOwnWord(kinds: ToneKinds, tokens: Tokens, at: number): boolean {
  const last = tokens[at - 1];
  if (!last) return false;
  if (tokens[at]!.text === 'who' && (last.kind === kinds.group || tokens[at - 2]?.kind === kinds.group)) return true;
  return isSelf(last.text) || isSelf(tokens[at - 2]?.text) || isSelf(tokens[at - 3]?.text);
}

/**
 * Whether a word beside a group is not said of it: `the women with the dog` names an animal, `they are sick of it` says whose
 * feeling it is. The model sees such a word, but it does not count as hostile.
 */
export function isBystander(kinds: ToneKinds, tokens: Tokens, at: number, position: number): boolean {
  const { kind } = tokens[at]!;
  const next = tokens[at + 1];
  if (kind === kinds.hates)
    return position === positions.predicate || next?.kind === kinds.people || hatesWhat.has(next?.text ?? '');
  // `until i die`
  if (kind === kinds.dying) return isSelf(tokens[at - 1]?.text);
  // Those who harm are named before the word, those who are shunned behind it.
  if (kind === kinds.harms) return position === positions.after || position === positions.attribute;
  if (kind === kinds.shun) return position === positions.before || position === positions.predicate;
  if (kind !== kinds.vermin && kind !== kinds.vile) return false;
  if (position === positions.before) return tokens[at - 1]!.kind !== kinds.group;
  return kind === kinds.vermin && position === positions.after && !isAttribute(kinds, tokens, at);
}

/** `lying cheating women`, `scum of refugees`: only hostile words and names of people up to the group. */
function isAttribute(kinds: ToneKinds, tokens: Tokens, at: number): boolean {
  for (let next = at + 1; next <= at + attributeTokensMax && next < tokens.length; next++) {
    const { kind, text } = tokens[next]!;
    if (kind === kinds.group) return true;
    if (!kinds.isHostile[kind] && kind !== kinds.people && text !== 'of' && text !== 'like' && text !== 'than')
      return false;
  }
  return false;
}

function isSelf(text: string | undefined): boolean {
  return text === 'i' || text === 'we';
}

function isQuestion(tokens: Tokens, at: number): boolean {
  const { clause } = tokens[at]!;
  for (let next = at; next < tokens.length && tokens[next]!.clause === clause; next++)
    if (tokens[next]!.text === '?') return true;
  return false;
}

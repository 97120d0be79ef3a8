/** Which rules may be stored: a pattern must compile, and all expressions of a scope together stay cheap to run. */
import type { Transaction } from '../../database/connect.ts';
import { Failure, invalid } from '../../errors.ts';
import { readLine } from '../../http/input/line-text.ts';
import { countRules, listExpressions, type NewRule, type RulePattern, type RulesLock } from './rule-repository.ts';

/** Compiles patterns with the engine's own code; see processing/engine/rule-dry-run.ts. */
export interface RuleCompiler {
  /** @returns what is wrong with the pattern, in words; undefined when it compiles */
  readonly findProblem: (rule: RulePattern) => Promise<string | undefined>;
  /** @returns the steps per character that all of these take together, at most */
  readonly cost: (rules: readonly RulePattern[]) => Promise<number>;
}

export interface RuleBounds {
  /** Rules of one room, or of the deployment. */
  readonly rulesMax: number;
  /** Steps per character of all expressions of one scope. */
  readonly costMax: number;
}

/** Code points of a note. */
const noteMax = 1000;

/** @returns the rule with its note as it is stored. @throws Failure `invalid` naming the field, `unavailable` */
export async function requireUsable(compiler: RuleCompiler, rule: NewRule): Promise<NewRule> {
  const { pattern, kind, note, ...rest } = rule;
  if (!pattern.isWellFormed() || pattern.includes('\0')) throw invalid('/pattern', 'not a text');
  // An expression may match a control character; words and links contain none.
  if (kind !== 'regex' && /\p{Cc}/u.test(pattern)) throw invalid('/pattern', 'must be one line');
  const line = readLine(note, '/note', { max: noteMax });
  const problem = await compiler.findProblem(rule);
  if (problem) throw invalid('/pattern', problem);
  return { ...rest, pattern, kind, ...(line === undefined ? {} : { note: line }) };
}

/** The cost of all expressions is bounded together: many small ones cost as much as a large one. @throws Failure `conflict` */
export async function requireSpace(
  tx: Transaction,
  lock: RulesLock,
  rule: RulePattern,
  { compiler, bounds }: { compiler: RuleCompiler; bounds: RuleBounds },
): Promise<void> {
  if ((await countRules(tx, lock)) >= bounds.rulesMax)
    throw new Failure('conflict', `at most ${bounds.rulesMax} rules`);
  if (rule.kind !== 'regex') return;
  const total = await compiler.cost([...(await listExpressions(tx, lock)), rule]);
  if (total > bounds.costMax)
    throw new Failure(
      'conflict',
      `all expressions together would take ${total} steps per character; ${bounds.costMax} are allowed`,
    );
}

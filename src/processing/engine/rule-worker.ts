/** The thread on which a moderator's rule is compiled and tried before the engines get it. One thread per rule. */
import { parentPort, workerData } from 'node:worker_threads';
import { createRuleBook, findRuleProblem, programSizeOf, type Rule, type RuleBook } from '../../spam/rules/rules.ts';
import type { TermLists } from '../../spam/terms/terms.ts';
import type { Label } from '../../spam/text/label.ts';
import { createNormaliser, type Lookalikes } from '../../spam/text/normalise.ts';

export interface RuleWorkerData {
  readonly lookalikes: Lookalikes;
  readonly terms: TermLists;
}

type Pattern = Pick<Rule, 'kind' | 'pattern'>;

export type RuleQuestion =
  | { readonly type: 'problem'; readonly rule: Pattern }
  | { readonly type: 'cost'; readonly rules: readonly Pattern[] }
  | { readonly type: 'try'; readonly rule: Pattern & Pick<Rule, 'action'>; readonly texts: readonly string[] };

export type RuleAnswer =
  | { readonly type: 'problem'; readonly problem: string | undefined }
  | { readonly type: 'cost'; readonly cost: number }
  | { readonly type: 'try'; readonly hits: readonly { readonly index: number; readonly labels: readonly Label[] }[] };

const { lookalikes, terms } = workerData as RuleWorkerData;
const port = parentPort!;
let book: RuleBook | undefined;

function answer(question: RuleQuestion): RuleAnswer {
  if (question.type === 'problem') return { type: 'problem', problem: findRuleProblem(question.rule) };
  if (question.type === 'cost')
    return { type: 'cost', cost: question.rules.reduce((sum, rule) => sum + programSizeOf(rule), 0) };
  book ??= createRuleBook([{ ...question.rule, id: 'tried', roomId: undefined }], {
    normalise: createNormaliser(lookalikes),
    lists: terms,
  });
  const hits = question.texts.flatMap((text, index) => {
    const found = book!.match(text, undefined);
    return found ? [{ index, labels: found.labels }] : [];
  });
  return { type: 'try', hits };
}

port.on('message', (question: RuleQuestion) => port.postMessage(answer(question)));

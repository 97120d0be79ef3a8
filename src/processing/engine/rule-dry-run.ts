/**
 * Compiles and tries moderators' rules with the engine's own code on a thread of its own, so that neither a chat instance's
 * main loop nor the engine pays for a bad pattern. Each use has its thread and its time; when the time is up the thread ends.
 */
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { Failure } from '../../errors.ts';
import type { RuleAnswer, RuleQuestion, RuleWorkerData } from './rule-worker.ts';
import type { TextLabel } from './text-task.ts';

interface TriedPattern {
  readonly kind: 'word' | 'phrase' | 'regex' | 'link';
  readonly pattern: string;
}

export interface RuleDryRun {
  /** What is wrong with a pattern, in words; undefined when it is good. @throws Failure `unavailable` */
  readonly findProblem: (rule: TriedPattern) => Promise<string | undefined>;
  /** Steps per character that all these patterns take together at most. */
  readonly cost: (rules: readonly TriedPattern[]) => Promise<number>;
  /**
   * Tries a rule on texts, page by page, until they end or the time is up.
   * @param nextPage reads on; empty: no more
   * @param onHit told the text's place among all, from 0
   * @throws Failure `unavailable` when too many rehearsals run
   */
  readonly run: (
    rule: TriedPattern & { readonly action: 'flag' | 'block' },
    nextPage: () => Promise<readonly string[]>,
    onHit: (index: number, labels: TextLabel[]) => void,
  ) => Promise<{ checked: number; complete: boolean }>;
}

export interface RuleDryRunSettings {
  /** Longest wait for a compilation. */
  readonly answerTimeoutMs: number;
  /** Longest rehearsal. */
  readonly runTimeoutMs: number;
  /** Threads at once; more are refused. */
  readonly threadsMax: number;
}

const artefacts = new URL('../../../data/moderation/artefacts/', import.meta.url);
const heapMb = 128;

export function createRuleDryRun(settings: RuleDryRunSettings): RuleDryRun {
  let shipped: Promise<RuleWorkerData> | undefined;
  let open = 0;

  async function readShipped(): Promise<RuleWorkerData> {
    const json = async (name: string) => JSON.parse(await readFile(new URL(name, artefacts), 'utf8')) as unknown;
    const [lookalikes, terms] = await Promise.all([json('lookalikes.json'), json('terms.json')]);
    return { lookalikes, terms } as RuleWorkerData;
  }

  /** Gives `work` a thread to ask; it ends with the work, or with the time. */
  async function withThread<Result>(
    timeoutMs: number,
    work: (ask: (question: RuleQuestion) => Promise<RuleAnswer>) => Promise<Result>,
  ): Promise<Result> {
    if (open >= settings.threadsMax)
      throw new Failure('unavailable', 'too many rules are being tried', { retryAfterMs: 1000 });
    open += 1;
    let worker: Worker | undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      shipped ??= readShipped();
      worker = new Worker(new URL('./rule-worker.ts', import.meta.url), {
        workerData: await shipped,
        resourceLimits: { maxOldGenerationSizeMb: heapMb },
      });
      const ended = Promise.withResolvers<never>();
      worker.once('error', (cause) =>
        ended.reject(new Failure('unavailable', 'the rule could not be tried', { cause })),
      );
      timer = setTimeout(() => ended.reject(new RuleTimeout()), timeoutMs);
      ended.promise.catch(() => undefined); // it may end when nobody asks
      const ask = (question: RuleQuestion): Promise<RuleAnswer> => {
        const answered = new Promise<RuleAnswer>((resolve) => worker!.once('message', resolve));
        worker!.postMessage(question);
        return Promise.race([answered, ended.promise]);
      };
      return await work(ask);
    } finally {
      clearTimeout(timer);
      open -= 1;
      await worker?.terminate();
    }
  }

  return {
    findProblem: async (rule) => {
      const answer = await withThread(settings.answerTimeoutMs, (ask) => ask({ type: 'problem', rule }));
      return answer.type === 'problem' ? answer.problem : undefined;
    },
    cost: async (rules) => {
      const answer = await withThread(settings.answerTimeoutMs, (ask) => ask({ type: 'cost', rules }));
      return answer.type === 'cost' ? answer.cost : 0;
    },
    run: async (rule, nextPage, onHit) => {
      let checked = 0;
      try {
        return await withThread(settings.runTimeoutMs, async (ask) => {
          for (let texts = await nextPage(); texts.length > 0; texts = await nextPage()) {
            const answer = await ask({ type: 'try', rule, texts });
            if (answer.type === 'try') for (const { index, labels } of answer.hits) onHit(checked + index, [...labels]);
            checked += texts.length;
          }
          return { checked, complete: true };
        });
      } catch (error) {
        if (error instanceof RuleTimeout) return { checked, complete: false };
        throw error;
      }
    },
  };
}

class RuleTimeout extends Failure {
  constructor() {
    super('unavailable', 'the pattern takes too long', { retryAfterMs: 1000 });
  }
}

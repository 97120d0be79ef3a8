/**
 * Compiles moderators' rules and tries them on stored texts, with the engine's own code on a separate thread, so that a bad
 * pattern slows neither the chat instance nor the engine. Each use has its own thread, which ends when its time is up.
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
  /** @returns what is wrong with a pattern, in words; undefined if it can be used  @throws Failure `unavailable` */
  readonly findProblem: (rule: TriedPattern) => Promise<string | undefined>;
  /** Most steps per character that all these patterns take together. */
  readonly cost: (rules: readonly TriedPattern[]) => Promise<number>;
  /**
   * Tries a rule on texts, page by page, until they end or the time is up.
   * @param nextPage reads the next texts; empty at the end
   * @param onHit called with the index of each text that the rule matches, from 0
   * @throws Failure `unavailable` if too many dry runs are in progress
   */
  readonly run: (
    rule: TriedPattern & { readonly action: 'flag' | 'block' },
    nextPage: () => Promise<readonly string[]>,
    onHit: (index: number, labels: TextLabel[]) => void,
  ) => Promise<{ checked: number; complete: boolean }>;
}

export interface RuleDryRunSettings {
  /** Longest compilation. */
  readonly answerTimeoutMs: number;
  /** Longest dry run. */
  readonly runTimeoutMs: number;
  /** Most threads at once; more are refused. */
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

  /** Runs `work` with a thread of its own, which ends with the work or when the time is up. */
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
      ended.promise.catch(() => undefined); // handled here too, because no call may be waiting for it
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

/** The shipped engine: worker threads with the lists and models of `data/moderation/artefacts`, and what moderators taught. */

import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { startPoller } from '../../concurrency/poller.ts';
import { createSingleFlight } from '../../concurrency/single-flight.ts';
import type { Config } from '../../config/load.ts';
import type { Sql } from '../../database/connect.ts';
import type { SignSettings } from '../../spam/second-sign.ts';
import { type Engine, startEngine } from './engine.ts';
import { createFloodWatch } from './flood-watch.ts';
import { createLearnedExamples } from './learned-examples.ts';
import { createLearning } from './learning.ts';
import type { LearningBirth, Taught } from './learning-worker.ts';
import { createStoredRules } from './stored-rules.ts';
import type { LearnExample } from './text-task.ts';
import type { TextState } from './text-worker.ts';

export interface RunningTextEngine {
  readonly engine: Engine<TextState>;
  /** Stores the examples. Resolves when every thread of this process uses them. @returns how many were new */
  readonly learn: (examples: readonly LearnExample[]) => Promise<number>;
  readonly stop: () => Promise<void>;
}

export interface TextEngineOptions {
  readonly sql: Sql;
  readonly config: Pick<Config, 'processing' | 'moderation'>;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Moderators teach through this process and wait for the result, so the learning thread is prepared soon after the start. */
  readonly teaches?: boolean;
}

const artefacts = new URL('../../../data/moderation/artefacts/', import.meta.url);
/** Module of the threads. */
export const textWorker = new URL('./text-worker.ts', import.meta.url);
/** Moderators' lessons and rules take effect on every engine within this time. */
const pollMs = 1000;
/** Learning all examples takes a few dozen milliseconds, and longer if the thread has to start. */
const learningTimeoutMs = 60_000;
/** Preparing costs a second of processor time, which reconnecting clients need just after a restart. */
const learningWarmUpMs = 30_000;

/** Resolves when all threads are warm. @throws Error if the artefacts are missing or of another build */
export async function startTextEngine({
  sql,
  config,
  logger,
  registry,
  teaches = false,
}: TextEngineOptions): Promise<RunningTextEngine> {
  const learned = createLearnedExamples(sql);
  const rules = createStoredRules(sql);
  const shipped = await readShippedState(config.moderation);
  const learning = createLearning({ ...shipped, replay: await readReplay() }, { timeoutMs: learningTimeoutMs });
  interface Current {
    readonly state: TextState;
    readonly learned: string;
    readonly rules: string;
  }
  const nameOf = (current: Current) => `1/${current.learned}/${current.rules}`;

  /**
   * Reads lessons and rules if their version changed. The version is read first, so changes after it are found the next time.
   * @throws Error if the database or the learning thread does not answer; the last state stays
   */
  async function readOn(before: Current): Promise<Current> {
    const [learnedVersion, ruleVersion] = await Promise.all([learned.version(), rules.version()]);
    if (learnedVersion === before.learned && ruleVersion === before.rules) return before;
    const [taught, ruleList] = await Promise.all([
      learnedVersion === before.learned ? before.state : learnAt(learnedVersion),
      ruleVersion === before.rules ? before.state.rules : rules.read(),
    ]);
    return {
      state: {
        ...before.state,
        learned: taught.learned,
        learnedToxicity: taught.learnedToxicity,
        rules: ruleList,
      },
      learned: learnedVersion,
      rules: ruleVersion,
    };
  }

  async function learnAt(wanted: string): Promise<Pick<TextState, 'learned' | 'learnedToxicity'>> {
    const examples = await learned.read();
    const isEmpty = examples.spam.length + examples.offence.length === 0;
    const taught: Taught = isEmpty ? { spam: undefined, toxicity: undefined } : await learning.learn(examples, wanted);
    return { learned: taught.spam, learnedToxicity: taught.toxicity };
  }

  const unread: Current = { state: shipped, learned: 'none', rules: 'none' };
  let current = await readOn(unread).catch((error: unknown) => {
    // The next poll reads again. Until then the shipped weights are used.
    logger.warn({ error }, 'could not read moderators’ lessons and rules at the start');
    return unread;
  });
  const metrics = createEngineMetrics(registry, () => engine.stats());
  const { threads, spareThreads, queueMax, batchMax, itemTimeout, loadTimeout } = config.processing;
  const engine: Engine<TextState> = await startEngine<TextState>({
    module: textWorker,
    state: current.state,
    version: nameOf(current),
    settings: {
      threads,
      spares: spareThreads,
      queueMax,
      queueWeightMax: queueMax * 4000,
      batchMax,
      itemTimeoutMs: itemTimeout,
      loadTimeoutMs: loadTimeout,
      heapMb: 256,
      quarantineMs: 60_000,
      quarantineMax: 1000,
    },
    flood: createFloodWatch(config.moderation.flood),
    events: {
      onResult: (outcome) => metrics.results.inc({ outcome }),
      onGiven: (waitedMs) => metrics.waits.observe(waitedMs / 1000),
      onBatch: (items, stageMs) => {
        metrics.batches.observe(items);
        for (const [stage, milliseconds] of Object.entries(stageMs)) metrics.stages.inc({ stage }, milliseconds / 1000);
      },
      onLostThread: (reason, cause) => {
        metrics.lost.inc({ reason });
        logger.warn({ reason, error: cause }, 'a worker thread was lost and replaced');
      },
    },
  });

  async function refresh(): Promise<void> {
    const next = await readOn(current);
    if (next === current) return;
    await engine.reload(next.state, nameOf(next));
    current = next;
  }

  function reportUnread(error: unknown): void {
    logger.debug({ error }, 'could not read moderators’ lessons and rules');
  }

  const refreshes = createSingleFlight(refresh);
  const poller = startPoller({ work: refreshes.share, everyMs: pollMs, onError: reportUnread });
  const warmUpTimer = teaches ? setTimeout(learning.warmUp, learningWarmUpMs) : undefined;

  return {
    engine,
    learn: async (examples) => {
      const stored = await learned.store(examples);
      // A refresh in progress may have read before this was stored.
      await refreshes.fresh().catch(reportUnread);
      return stored;
    },
    stop: async () => {
      poller.stop();
      clearTimeout(warmUpTimer);
      await learning.stop();
      await engine.stop();
    },
  };
}

/** The state of the threads without any lessons. @throws Error if an artefact is missing */
export async function readShippedState(settings: Config['moderation']): Promise<TextState> {
  const json = async (name: string): Promise<unknown> => JSON.parse(await readFile(new URL(name, artefacts), 'utf8'));
  const [model, toxicity, lookalikes, terms, emoji, chatSample] = await Promise.all([
    readFile(new URL('spam.model', artefacts)),
    readFile(new URL('toxicity.model', artefacts)),
    json('lookalikes.json'),
    json('terms.json'),
    json('emoji.json'),
    json('chat-sample.json'),
  ]);
  const { flagThreshold, blockThreshold, profanity, slurs, links } = settings;
  const spam = toSignSettings(settings.spam);
  const policy = { flagThreshold, blockThreshold, profanity, slurs, spam, links: links.action };
  return {
    policy,
    links,
    model: new Uint8Array(model),
    toxicity: new Uint8Array(toxicity),
    lookalikes,
    terms,
    emoji,
    chatSample,
    learned: undefined,
    learnedToxicity: undefined,
    rules: [],
  } as TextState;
}

/** The settings for when a spam score blocks, in the engine's units. */
export function toSignSettings({ action, newcomerAge, newcomerMessages }: Config['moderation']['spam']): SignSettings {
  return { action, newcomerSeconds: newcomerAge / 1000, newcomerMessages };
}

async function readReplay(): Promise<LearningBirth['replay']> {
  return JSON.parse(await readFile(new URL('replay.json', artefacts), 'utf8')) as LearningBirth['replay'];
}

function createEngineMetrics(registry: Registry, stats: () => { waiting: number; threadsReady: number }) {
  const registers = [registry];
  new Gauge({
    name: 'parley_engine_waiting',
    help: 'Texts that wait in the engine',
    registers,
    collect() {
      this.set(stats().waiting);
    },
  });
  new Gauge({
    name: 'parley_engine_threads',
    help: 'Worker threads that are ready',
    registers,
    collect() {
      this.set(stats().threadsReady);
    },
  });
  return {
    results: new Counter({
      name: 'parley_engine_results_total',
      help: 'Judged texts, by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    batches: new Histogram({
      name: 'parley_engine_batch_size',
      help: 'Texts per batch',
      buckets: [1, 4, 16, 64, 128, 256],
      registers,
    }),
    waits: new Histogram({
      name: 'parley_engine_wait_seconds',
      help: 'Time that the first text of a batch waited for its thread',
      buckets: [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5],
      registers,
    }),
    stages: new Counter({
      name: 'parley_engine_stage_seconds_total',
      help: 'Thread time, by stage',
      labelNames: ['stage'],
      registers,
    }),
    lost: new Counter({
      name: 'parley_engine_lost_threads_total',
      help: 'Replaced worker threads, by reason',
      labelNames: ['reason'],
      registers,
    }),
  };
}

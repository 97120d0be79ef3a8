/** Feeds the shipped engine, threads and pool included, with texts that nobody writes, and checks every answer. */

import { findLive } from '../../scripts/evaluate/live-html.ts';
import { rows } from '../../scripts/evaluate/shipped.ts';
import { loadConfig } from '../../src/config/load.ts';
import { type Engine, startEngine } from '../../src/processing/engine/engine.ts';
import { readShippedState, textWorker } from '../../src/processing/engine/text-engine.ts';
import type { TextResult, TextTask } from '../../src/processing/engine/text-task.ts';
import type { TextState } from '../../src/processing/engine/text-worker.ts';
import { createTextFuzzer, type FuzzText } from './random-texts.ts';

export interface FuzzOptions {
  readonly count: number;
  readonly seed: number;
  /** UTF-16 units of the longest texts. */
  readonly longestMax: number;
  readonly onProgress?: (done: number) => void;
}

export interface SlowText {
  readonly kind: string;
  readonly length: number;
  readonly milliseconds: number;
  readonly text: string;
}

export interface FuzzReport {
  readonly texts: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** Answers that are not what the engine promises, with how to make the text again. */
  readonly wrong: readonly string[];
  /** Why threads were replaced. */
  readonly lostThreads: readonly string[];
  /** The slowest texts on their thread, longest first. */
  readonly slowest: readonly SlowText[];
}

/** Texts of one call; every other call holds one text, whose time on the thread is then known. */
const batch = 50;
const slowestKept = 10;
/** The tree of longer HTML is looked at in one of twenty texts only: a browser's parser takes longer than the engine. */
const alwaysParsedMax = 4000;

export async function fuzzEngine({ count, seed, longestMax, onProgress }: FuzzOptions): Promise<FuzzReport> {
  const lostThreads: string[] = [];
  let stageMs = 0;
  const engine = await startFuzzedEngine({
    onLostThread: (reason) => lostThreads.push(reason),
    onBatch: (_, stages) => {
      stageMs = Object.values(stages).reduce((sum, each) => sum + each, 0);
    },
  });
  const real = [...rows('ham/irc-ubuntu.dev.jsonl.gz'), ...rows('spam/telegram-tgspam.dev.jsonl.gz')];
  const next = createTextFuzzer(
    seed,
    real.map(({ text }) => text),
    longestMax,
  );
  const outcomes: Record<string, number> = {};
  const wrong: string[] = [];
  let slowest: SlowText[] = [];
  let done = 0;

  function take(given: FuzzText, result: TextResult): void {
    outcomes[result.outcome] = (outcomes[result.outcome] ?? 0) + 1;
    const complaint = complaintAbout(given.text, result, done % 20 === 0);
    if (complaint) wrong.push(`text ${done} of seed ${seed} (${given.kind}, ${given.text.length} units): ${complaint}`);
    done++;
  }

  try {
    while (done < count) {
      for (let alone = 0; alone < batch && done < count; alone++) {
        const given = next();
        const [result] = await engine.judge([toTask(given)]);
        take(given, result!);
        slowest.push({ kind: given.kind, length: given.text.length, milliseconds: stageMs, text: given.text });
        if (slowest.length > slowestKept * 10) slowest = longestFirst(slowest);
      }
      const together = Array.from({ length: Math.min(batch, count - done) }, next);
      const results = await engine.judge(together.map(toTask));
      for (const [at, given] of together.entries()) take(given, results[at]!);
      onProgress?.(done);
    }
  } finally {
    await engine.stop();
  }
  return { texts: done, outcomes, wrong, lostThreads, slowest: longestFirst(slowest) };
}

async function startFuzzedEngine(
  events: NonNullable<Parameters<typeof startEngine>[0]['events']>,
): Promise<Engine<TextState>> {
  const { moderation, processing } = loadConfig([], {}).config;
  return startEngine<TextState>({
    module: textWorker,
    state: await readShippedState(moderation),
    version: 'fuzz',
    settings: {
      threads: 1,
      spares: 1,
      queueMax: processing.queueMax,
      queueWeightMax: 100_000_000,
      batchMax: processing.batchMax,
      itemTimeoutMs: processing.itemTimeout,
      loadTimeoutMs: 20_000,
      heapMb: 256,
      quarantineMs: 60_000,
      quarantineMax: 1000,
    },
    events,
  });
}

const longestFirst = (texts: readonly SlowText[]): SlowText[] =>
  texts.toSorted((left, right) => right.milliseconds - left.milliseconds).slice(0, slowestKept);

function toTask({ text }: FuzzText): TextTask {
  return { text, kind: 'message', assess: true, render: true };
}

/** What is wrong with an answer, if anything. */
function complaintAbout(text: string, result: TextResult, parseAnyway: boolean): string | undefined {
  const { outcome, spamScore, labels, links, mentions, html } = result;
  if (outcome === 'error') return `not judged: ${labels[0]?.id}`;
  if (!(spamScore >= 0 && spamScore <= 1)) return `a score of ${spamScore}`;
  for (const { start, end } of [...labels, ...links, ...mentions])
    if (!(Number.isInteger(start) && start >= 0 && start <= end && end <= text.length)) return `a span ${start}–${end}`;
  // A label on the whole text names no part of it.
  for (const { name, start, end, matched } of labels)
    if (matched !== '' && matched !== text.slice(start, end)) return `a label ${name} whose match is not its span`;
  for (const { name, start, end } of mentions)
    if (start < end && text.slice(start + 1, end) !== name) return 'a mention whose name is not its span';
  if (html.length > alwaysParsedMax && !parseAnyway) return undefined;
  const { foreign, schemes, styles, unmarked, depth } = findLive(html);
  if (foreign.length + schemes.length + styles.length + unmarked.length > 0) return 'unsafe HTML';
  return depth > 110 ? `a tree of ${depth} levels` : undefined;
}

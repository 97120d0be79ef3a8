/**
 * How systems are compared: warmed for as long each, then measured in turn, a few rounds each, and the median round counts. What a
 * compiler learns in a program's first seconds is then in no figure, and a machine whose speed drifts drifts under all of them.
 */
import { percentile, type Row } from './measure.ts';

/** What one round of a system measured. */
export interface Sample {
  /** Operations in a second. */
  readonly rate: number;
  /** Microseconds of CPU of the system under test for one operation. */
  readonly cpuMicros?: number;
  /** Of each operation, in ms. */
  readonly latencies?: readonly number[];
}

export interface Contender {
  readonly what: string;
  readonly round: () => Promise<Sample>;
  /** At most so many rounds warm it, where each uses up what another cannot have. */
  readonly warmRoundsMax?: number;
  /** Ends what was started for it. */
  readonly stop?: () => Promise<void>;
}

/** The median round, figure by figure. */
export interface Summary {
  readonly what: string;
  readonly rate: number;
  readonly cpuMicros?: number;
  /** In ms, where latencies were measured. */
  readonly p50?: number;
  readonly p99?: number;
}

const warmMs = 4000;
const rounds = 5;

const median = (values: readonly number[]): number => percentile(values, 0.5);

function summaryOf(what: string, measured: readonly Sample[]): Summary {
  const cpu = measured.flatMap(({ cpuMicros }) => cpuMicros ?? []);
  const latencies = measured.flatMap((sample) => (sample.latencies ? [sample.latencies] : []));
  return {
    what,
    rate: median(measured.map(({ rate }) => rate)),
    ...(cpu.length === 0 ? {} : { cpuMicros: median(cpu) }),
    ...(latencies.length === 0
      ? {}
      : {
          p50: median(latencies.map((each) => percentile(each, 0.5))),
          p99: median(latencies.map((each) => percentile(each, 0.99))),
        }),
  };
}

/** Between rounds: what the one before left to its Postgres to write is no part of the next one. */
const restMs = 500;

/** @returns a summary for each contender, in their order; all of them are stopped by then, also when one fails */
export async function interleave(contenders: readonly Contender[]): Promise<Summary[]> {
  try {
    for (const { round, warmRoundsMax = Number.POSITIVE_INFINITY } of contenders) {
      const untilMs = performance.now() + warmMs;
      for (let warmed = 0; warmed < warmRoundsMax && performance.now() < untilMs; warmed++) await round();
    }
    const measured = contenders.map((): Sample[] => []);
    for (let round = 0; round < rounds; round++)
      for (const [at, contender] of contenders.entries()) {
        await new Promise((wake) => setTimeout(wake, restMs));
        measured[at]!.push(await contender.round());
      }
    return contenders.map(({ what }, at) => summaryOf(what, measured[at]!));
  } finally {
    await Promise.allSettled(contenders.map(({ stop }) => stop?.()));
  }
}

/** @returns its row, the percentiles in words */
export function toRow({ what, rate, cpuMicros, p50, p99 }: Summary, more: Partial<Row> = {}): Row {
  const waits = p50 === undefined ? '' : `p50 ${p50.toFixed(2)} ms, p99 ${p99!.toFixed(2)} ms`;
  return {
    what,
    rate,
    ...(cpuMicros === undefined ? {} : { cpuMicros }),
    ...more,
    note: [waits, more.note].filter(Boolean).join('; '),
  };
}

/**
 * Compares systems: each is warmed up equally long, then they are measured in turn for a few rounds, and the median round counts. So JIT
 * compilation is in no figure, and a machine whose speed drifts affects all of them.
 */
import { percentile, type Row } from './measure.ts';

/** The result of one round of a system. */
export interface Sample {
  /** Operations per second. */
  readonly rate: number;
  /** CPU of the system under test per operation, in microseconds. */
  readonly cpuMicros?: number;
  /** Latency of each operation, in ms. */
  readonly latencies?: readonly number[];
}

export interface Contender {
  readonly what: string;
  readonly round: () => Promise<Sample>;
  /** Most warm-up rounds, if each consumes something that others need. */
  readonly warmRoundsMax?: number;
  /** Ends the processes of this contender. */
  readonly stop?: () => Promise<void>;
}

/** The median of the rounds, figure by figure. */
export interface Summary {
  readonly what: string;
  readonly rate: number;
  readonly cpuMicros?: number;
  /** In ms, if latencies were measured. */
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

/** Pause between rounds, so that pending writes of one round's Postgres do not count in the next one. */
const restMs = 500;

/** @returns a summary per contender, in order. All are stopped, also if one fails */
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

/** @returns its row, with the percentiles as text */
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

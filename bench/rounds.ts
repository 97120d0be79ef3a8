/**
 * How systems are compared: warmed for as long each, then measured in turn, a few rounds each, and the median round counts. What a
 * compiler learns in a program's first seconds is then in no figure, and a machine whose speed drifts drifts under all of them.
 */
import { percentile, type Row } from './measure.ts';

/** What one round of a system measured. */
export interface Figures {
  /** Operations in a second. */
  readonly rate: number;
  /** Microseconds of CPU of the system under test for one operation. */
  readonly cpuMicros?: number;
  /** How long each operation was waited for, in ms. */
  readonly waits?: readonly number[];
}

export interface Contender {
  readonly what: string;
  readonly round: () => Promise<Figures>;
  /** Ends what was started for it. */
  readonly stop?: () => Promise<void>;
}

/** The median round, figure by figure. */
export interface Standing {
  readonly what: string;
  readonly rate: number;
  readonly cpuMicros?: number;
  /** In ms, where waits were measured. */
  readonly p50?: number;
  readonly p99?: number;
}

const warmMs = 4000;
const rounds = 5;

const median = (values: readonly number[]): number => percentile(values, 0.5);

function standingOf(what: string, measured: readonly Figures[]): Standing {
  const cpu = measured.flatMap(({ cpuMicros }) => cpuMicros ?? []);
  const waits = measured.flatMap((round) => (round.waits ? [round.waits] : []));
  return {
    what,
    rate: median(measured.map(({ rate }) => rate)),
    ...(cpu.length === 0 ? {} : { cpuMicros: median(cpu) }),
    ...(waits.length === 0
      ? {}
      : {
          p50: median(waits.map((round) => percentile(round, 0.5))),
          p99: median(waits.map((round) => percentile(round, 0.99))),
        }),
  };
}

/** @returns a standing for each contender, in their order; all of them are stopped by then */
export async function inTurn(contenders: readonly Contender[]): Promise<Standing[]> {
  for (const { round } of contenders) {
    const untilMs = performance.now() + warmMs;
    while (performance.now() < untilMs) await round();
  }
  const measured = contenders.map((): Figures[] => []);
  for (let round = 0; round < rounds; round++)
    for (const [at, contender] of contenders.entries()) measured[at]!.push(await contender.round());
  for (const { stop } of contenders) await stop?.();
  return contenders.map(({ what }, at) => standingOf(what, measured[at]!));
}

/** @returns its row, the waits in words */
export function toRow({ what, rate, cpuMicros, p50, p99 }: Standing, more: Partial<Row> = {}): Row {
  const waits = p50 === undefined ? '' : `p50 ${p50.toFixed(2)} ms, p99 ${p99!.toFixed(2)} ms`;
  return {
    what,
    rate,
    ...(cpuMicros === undefined ? {} : { cpuMicros }),
    ...more,
    note: [waits, more.note].filter(Boolean).join('; '),
  };
}

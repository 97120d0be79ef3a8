/**
 * A restore of the database replaces the log by an earlier state of it. What was seen and acked before belongs to the log of that
 * time, which is kept; what came after belongs to the next. Pure: it sorts what clients noted into the eras of the run.
 */
import type { LoggedEvent, ReaderRecord, Run, SendRecord } from './history-checker.ts';
import type { Ban, ChangeRecord, MarkRecord } from './state-checker.ts';

export interface Era {
  readonly logs: ReadonlyMap<string, readonly LoggedEvent[]>;
  /** By one clock: from when on things are of this era, and until when. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** What was on its way when the server was killed may arrive this much later. */
const lateMs = 10_000;

/** Eras that something which was noted at a time may be of; the later one last. */
function candidates(eras: readonly Era[], atMs: number): Era[] {
  return eras.filter(({ fromMs, untilMs }) => atMs >= fromMs && atMs <= untilMs + lateMs);
}

/** Whether a run is what this era's log says. */
function fits(run: Run, log: readonly LoggedEvent[]): boolean {
  return run.events.every(({ seq, id, type }) => log[seq - 1]?.id === id && log[seq - 1]?.type === type);
}

function eraOf(eras: readonly Era[], atMs: number, matches: (era: Era) => boolean): Era {
  const possible = candidates(eras, atMs);
  return possible.find(matches) ?? possible.at(-1) ?? eras.at(-1)!;
}

/** The runs of a reader that are of an era. A reader of an era that is over owes nothing at its end. */
export function readerIn(eras: readonly Era[], era: Era, reader: ReaderRecord): ReaderRecord {
  const { roomId, runs } = reader;
  const own = runs.filter((run) => eraOf(eras, run.atMs ?? 0, ({ logs }) => fits(run, logs.get(roomId) ?? [])) === era);
  return { ...reader, runs: own, gone: (reader.gone ?? false) || era !== eras.at(-1) };
}

/** A send as this era answered it. */
export function sendIn(eras: readonly Era[], era: Era, send: SendRecord): SendRecord {
  const { acks, refused, refusedMs, ...rest } = send;
  const log = ({ logs }: Era) => logs.get(send.roomId) ?? [];
  const own = acks.filter(
    ({ messageId, seq, atMs }) => eraOf(eras, atMs ?? 0, (each) => log(each)[seq - 1]?.id === messageId) === era,
  );
  const isRefusedHere = refused !== undefined && isSurely(eras, era, refusedMs ?? 0);
  return { ...rest, acks: own, ...(isRefusedHere ? { refused } : {}) };
}

function isSurely(eras: readonly Era[], era: Era, atMs: number): boolean {
  const possible = candidates(eras, atMs);
  return possible.length === 1 && possible[0] === era;
}

/** What holds in the end is compared with what was answered in the last era alone. */
export function beliefsAtTheEnd<
  Beliefs extends { changes: readonly ChangeRecord[]; bans: readonly Ban[]; marks: readonly MarkRecord[] },
>(eras: readonly Era[], beliefs: Beliefs): Beliefs {
  if (eras.length === 1) return beliefs;
  const last = eras.at(-1)!;
  const sinceMs = eras.at(-2)!.untilMs + lateMs;
  const isOver = (atMs: number | undefined) => (atMs ?? 0) < Math.max(sinceMs, last.fromMs);
  return {
    ...beliefs,
    changes: beliefs.changes.filter(({ atMs }) => !isOver(atMs)),
    // What a restore gave back was not given back by its owner.
    bans: beliefs.bans.filter(({ fromMs }) => !isOver(fromMs)),
    marks: beliefs.marks.map(({ acked, atMs, ...mark }) => {
      const kept = acked.filter((_, at) => !isOver(atMs?.[at]));
      return { ...mark, acked: kept };
    }),
  };
}

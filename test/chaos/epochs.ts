/**
 * A restore of the database replaces the log by an earlier state. Events and acks from before belong to the replaced log, which is kept;
 * later ones belong to the next. Pure: assigns the clients' records to the epochs of the run.
 */
import type { LoggedEvent, ReaderRecord, Run, SendRecord } from './history-checker.ts';
import type { Ban, ChangeRecord, MarkRecord } from './state-checker.ts';

export interface Epoch {
  readonly logs: ReadonlyMap<string, readonly LoggedEvent[]>;
  /** Begin and end of this epoch, by one clock. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Frames that were in flight when the server was killed may arrive this much later. */
const lateMs = 10_000;

/** The epochs that a record of this time may belong to, the later one last. */
function candidates(epochs: readonly Epoch[], atMs: number): Epoch[] {
  return epochs.filter(({ fromMs, untilMs }) => atMs >= fromMs && atMs <= untilMs + lateMs);
}

/** Whether the events of a run are those of this epoch's log. A run without events shows nothing, so only its time counts. */
function fits(run: Run, log: readonly LoggedEvent[]): boolean {
  return (
    run.events.length > 0 &&
    run.events.every(({ seq, id, type }) => log[seq - 1]?.id === id && log[seq - 1]?.type === type)
  );
}

function epochOf(epochs: readonly Epoch[], atMs: number, matches: (epoch: Epoch) => boolean): Epoch {
  const possible = candidates(epochs, atMs);
  return possible.find(matches) ?? possible.at(-1) ?? epochs.at(-1)!;
}

/** The runs of a reader in an epoch. In an ended epoch a reader need not have reached the head. */
export function readerIn(epochs: readonly Epoch[], epoch: Epoch, reader: ReaderRecord): ReaderRecord {
  const { roomId, runs } = reader;
  const own = runs.filter(
    (run) => epochOf(epochs, run.atMs ?? 0, ({ logs }) => fits(run, logs.get(roomId) ?? [])) === epoch,
  );
  return { ...reader, runs: own, gone: (reader.gone ?? false) || epoch !== epochs.at(-1) };
}

/** A send with its answers from this epoch. */
export function sendIn(epochs: readonly Epoch[], epoch: Epoch, send: SendRecord): SendRecord {
  const { acks, refused, refusedMs, ...rest } = send;
  const log = ({ logs }: Epoch) => logs.get(send.roomId) ?? [];
  const own = acks.filter(
    ({ messageId, seq, atMs }) => epochOf(epochs, atMs ?? 0, (each) => log(each)[seq - 1]?.id === messageId) === epoch,
  );
  const isRefusedHere = refused !== undefined && isSurely(epochs, epoch, refusedMs ?? 0);
  return { ...rest, acks: own, ...(isRefusedHere ? { refused } : {}) };
}

function isSurely(epochs: readonly Epoch[], epoch: Epoch, atMs: number): boolean {
  const possible = candidates(epochs, atMs);
  return possible.length === 1 && possible[0] === epoch;
}

/** The final state is compared only with answers of the last epoch. */
export function beliefsAtTheEnd<
  Beliefs extends { changes: readonly ChangeRecord[]; bans: readonly Ban[]; marks: readonly MarkRecord[] },
>(epochs: readonly Epoch[], beliefs: Beliefs): Beliefs {
  if (epochs.length === 1) return beliefs;
  const last = epochs.at(-1)!;
  const sinceMs = epochs.at(-2)!.untilMs + lateMs;
  const isOver = (atMs: number | undefined) => (atMs ?? 0) < Math.max(sinceMs, last.fromMs);
  return {
    ...beliefs,
    changes: beliefs.changes.filter(({ atMs }) => !isOver(atMs)),
    // A right that a restore brought back was not restored by its owner.
    bans: beliefs.bans.filter(({ fromMs }) => !isOver(fromMs)),
    marks: beliefs.marks.map(({ acked, atMs, ...mark }) => {
      const kept = acked.filter((_, at) => !isOver(atMs?.[at]));
      return { ...mark, acked: kept };
    }),
  };
}

/** What this instance remembers of the log, in memory, in its row in Postgres, and outside of Postgres for its successors. */
import { newId } from '../../database/new-id.ts';
import type { LogMemories } from './log-memories.ts';
import type { LogNow } from './log-row.ts';
import type { KnownEvent, LogMemory, LogWitnesses } from './log-witnesses.ts';

/** The newest commits that an instance remembers. One would do; several prove more where two were made at once. */
const rememberedMax = 32;
const beatEveryMs = 2000;

export interface OwnWitness {
  /** From now on this instance remembers what it sees of the log. What it remembered before belongs to another one. */
  readonly register: (log: LogNow) => Promise<void>;
  /** Undefined before `register`. */
  readonly memory: () => LogMemory | undefined;
  /** This event was committed. */
  readonly remember: (event: KnownEvent) => void;
  readonly isBeatDue: () => boolean;
  /** Counts the row up. @returns false if the epoch is another one or the row is missing: nothing was counted */
  readonly beat: (epoch: string) => Promise<boolean>;
  /** The instance stops, and has nothing more to say. */
  readonly end: () => Promise<void>;
}

export function createOwnWitness({
  witnesses,
  memories,
}: {
  witnesses: Pick<LogWitnesses, 'register' | 'beat' | 'end'>;
  memories: Pick<LogMemories, 'keep'>;
}): OwnWitness {
  const witness = newId();
  let memory: LogMemory | undefined;
  let lastBeatMs = performance.now();

  function keep(next: LogMemory): void {
    memory = next;
    memories.keep(next);
  }

  return {
    register: async ({ rowId, database }) => {
      const beat = memory ? memory.beat + 1 : 0;
      await witnesses.register(witness, beat);
      keep({ witness, logId: rowId, database, beat, events: [] });
    },
    memory: () => memory,
    remember: (event) => keep({ ...memory!, events: [...memory!.events.slice(1 - rememberedMax), event] }),
    isBeatDue: () => performance.now() - lastBeatMs >= beatEveryMs,
    beat: async (epoch) => {
      const next = memory!.beat + 1;
      lastBeatMs = performance.now();
      if (!(await witnesses.beat(witness, next, epoch))) return false;
      keep({ ...memory!, beat: next });
      return true;
    },
    end: () => witnesses.end(witness),
  };
}

/** An instance of a chaos run: started again when a fault has ended it, and counted when it has ended by itself. */
import { setTimeout as pause } from 'node:timers/promises';
import { type ParleyProcess, type ProcessOptions, startParley } from '../harness/parley-process.ts';

export interface Slot {
  readonly name: string;
  process: ParleyProcess | undefined;
  /** Starts it unless it runs. */
  readonly start: () => Promise<void>;
  /** `kill -9`, or SIGTERM. @returns the exit code */
  readonly end: (how: 'kill' | 'stop') => Promise<number | null>;
}

/** A process that ended although nobody ended it. */
export interface UnexpectedExit {
  readonly name: string;
  /** Why, as far as it said so. */
  readonly output: string;
}

export interface Watch {
  readonly exits: readonly UnexpectedExit[];
  readonly stop: () => void;
}

/** What befell its database beside it heals at the same time, within a few seconds; each start takes about one. */
const startsMax = 40;
const betweenStartsMs = 250;
const lookEveryMs = 100;

export function createSlot(name: string, options: ProcessOptions): Slot {
  let starting: Promise<void> | undefined;

  // One that begins while its database is out of reach ends with one clear line; whoever runs it starts it again.
  async function startAgain(): Promise<void> {
    for (let starts = 1; ; starts++) {
      try {
        slot.process = await startParley(options);
        return;
      } catch (error) {
        const endedInOrder = /^parley: /m.test(String(error)) && !/^\s+at /m.test(String(error));
        if (starts === startsMax || !endedInOrder) throw error;
        await pause(betweenStartsMs);
      }
    }
  }

  const slot: Slot = {
    name,
    process: undefined,
    start: () => {
      if (starting === undefined && slot.process && !slot.process.exited()) return Promise.resolve();
      starting ??= startAgain().finally(() => {
        starting = undefined;
      });
      return starting;
    },
    end: async (how) => {
      const running = slot.process;
      // Nobody is surprised by its end.
      slot.process = undefined;
      if (!running || running.exited()) return null;
      if (how === 'stop') return running.stop();
      await running.kill();
      return null;
    },
  };
  return slot;
}

/** The line of its log that says that it ends, or else the last lines. */
function lastWords(output: string): string {
  const lines = output.trim().split('\n');
  return (lines.findLast((line) => line.includes('"level":60')) ?? lines.slice(-5).join('\n')).slice(0, 2000);
}

/** Looks after instances: one that ended by itself is noted and started again. */
export function watchSlots(slots: readonly Slot[]): Watch {
  const exits: UnexpectedExit[] = [];
  const timer = setInterval(() => {
    for (const slot of slots) {
      if (!slot.process?.exited()) continue;
      exits.push({ name: slot.name, output: lastWords(slot.process.output()) });
      slot.process = undefined;
      slot.start().catch((error: unknown) => exits.push({ name: slot.name, output: String(error).slice(-2000) }));
    }
  }, lookEveryMs);
  return { exits, stop: () => clearInterval(timer) };
}

/** An instance of a chaos run. It is restarted after a fault ended it, and counted if it ended by itself. */
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

/** A process that ended although no fault ended it. */
export interface UnexpectedExit {
  readonly name: string;
  /** The reason, if it reported one. */
  readonly output: string;
}

export interface Watch {
  readonly exits: readonly UnexpectedExit[];
  readonly stop: () => void;
}

/** A fault of the database heals at the same time, within a few seconds. Each start takes about one second. */
const startsMax = 40;
const betweenStartsMs = 250;
const lookEveryMs = 100;

export function createSlot(name: string, options: ProcessOptions): Slot {
  let starting: Promise<void> | undefined;

  // An instance that starts while its database is unreachable ends with one clear line. Its supervisor starts it again.
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
      // Its end is expected.
      slot.process = undefined;
      if (!running || running.exited()) return null;
      if (how === 'stop') return running.stop();
      await running.kill();
      return null;
    },
  };
  return slot;
}

/** The log line that reports the end, or else the last lines. */
function lastWords(output: string): string {
  const lines = output.trim().split('\n');
  return (lines.findLast((line) => line.includes('"level":60')) ?? lines.slice(-5).join('\n')).slice(0, 2000);
}

/** Supervises instances: records one that ended by itself, and starts it again. */
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

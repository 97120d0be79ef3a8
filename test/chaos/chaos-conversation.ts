/**
 * The conversation features in a chaos run: reactions, threads, pins, polls, votes and read markers of a few users on two
 * devices each. At the end, the state that each device has built from events must be what REST answers.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { compareDevices } from '../model/model-check.ts';
import { doOne } from '../model/model-operations.ts';
import { makeRooms, settle, startModelPeople } from '../model/model-run.ts';
import { untilDone } from './patience.ts';

export interface ChaosConversation {
  /** Starts no new operation. Resolves when all pending ones are answered. */
  readonly stop: () => Promise<void>;
  /** What differs, after everything has healed. */
  readonly check: () => Promise<readonly { readonly kind: 'state'; readonly what: string }[]>;
  readonly operations: () => number;
  readonly leave: () => void;
}

const workers = 4;
/** A kill of Redis or of an instance may lose them. */
const signals = { signalsMayBeLost: true };

export async function startChaosConversation(url: string, seed: number): Promise<ChaosConversation> {
  const world = await makeRooms(await startModelPeople({ urls: [url], seed, userCount: 3 }));
  let busy = true;
  let operations = 0;

  async function work(): Promise<void> {
    while (busy) {
      const { outcome } = await doOne(world);
      if (outcome === 'ok') operations += 1;
      await pause(20 + world.random() * 60);
    }
  }

  const working = Array.from({ length: workers }, work);
  return {
    stop: async () => {
      busy = false;
      await Promise.all(working);
    },
    check: async () => {
      await settle(world.devices, signals);
      const found = [];
      // One after another, and again where the server was busy: the reads of all devices at once are many.
      for (const device of world.devices) found.push(...(await untilDone(() => compareDevices([device], signals))));
      const failures = world.devices.flatMap(({ failures: each }) => each);
      return [...found.map((each) => JSON.stringify(each)), ...failures].map((what) => ({ kind: 'state', what }));
    },
    operations: () => operations,
    leave: () => {
      for (const device of world.devices) device.close();
    },
  };
}

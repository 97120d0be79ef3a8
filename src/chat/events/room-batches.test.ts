import { expect, test } from 'vitest';
import { roomFeed } from '../../../test/harness/room-fixture.ts';
import { Failure } from '../../errors.ts';
import type { EventLog } from './event-log.ts';
import type { AppendContext } from './planned-append.ts';
import { createRoomBatches, type RoomBatchesSettings } from './room-batches.ts';

/** A log whose transactions begin when the test says so. */
function heldLog() {
  const begun: ((refusal?: Error) => void)[] = [];
  const context = { state: roomFeed().state, nextSeq: 6 } as AppendContext;
  const transact = async (_roomId: string, work: (context: AppendContext) => Promise<{ answer: unknown }>) => {
    const refusal = await new Promise<Error | undefined>((resolve) => begun.push(resolve));
    if (refusal) throw refusal;
    // A conflict: the plan is made twice.
    await work(context);
    const { answer } = await work(context);
    return { answer, seq: 6, atMs: 0 };
  };
  return { begun, eventLog: { transact } as unknown as Pick<EventLog, 'transact'> };
}

function startBatches(overrides: Partial<RoomBatchesSettings> = {}) {
  const { begun, eventLog } = heldLog();
  const planned: string[][] = [];
  const batches = createRoomBatches<string>({
    eventLog,
    plan: async (_context, changes) => {
      planned.push([...changes]);
      const outcomes = changes.map((change, index) => (change === 'bad' ? new Failure('forbidden', 'no') : index));
      return { events: [], outcomes };
    },
    settings: { batchMax: 3, perRoomMax: 4, waitingMax: 6, waitMs: 10_000, ...overrides },
  });
  /** What became of each change, in the order in which they were answered. */
  const told: string[] = [];
  const add = (change: string, room = 'room') =>
    Promise.resolve()
      .then(() => batches.add(room, change))
      .then(
        ({ seq }) => void told.push(`${change} ${seq}`),
        (error: Failure) => void told.push(`${change} ${error.code}`),
      );
  return { begun, planned, told, add };
}

/** Lets every callback run that is due. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('changes that wait for a room share a transaction, in order, and a refusal refuses no other', async () => {
  const { begun, planned, told, add } = startBatches();
  const all = Promise.all(['a', 'bad', 'c', 'd'].map((change) => add(change)));
  await settle();
  expect(begun).toHaveLength(1);
  begun[0]!();
  await settle();
  begun[1]!();
  await all;
  expect(planned).toEqual([['a', 'bad', 'c'], ['a', 'bad', 'c'], ['d'], ['d']]);
  expect(told).toEqual(['a 0', 'bad forbidden', 'c 2', 'd 0']);
});

test('rooms do not wait for each other', async () => {
  const { begun, told, add } = startBatches();
  const [one, two] = [add('a', 'one'), add('b', 'two')];
  await settle();
  expect(begun).toHaveLength(2);
  begun[1]!();
  await two;
  expect(told).toEqual(['b 0']);
  begun[0]!();
  await one;
});

test('more changes than may wait are refused at once, and those that wait are not', async () => {
  const { begun, told, add } = startBatches();
  const waiting = ['a', 'b', 'c', 'd'].map((change) => add(change));
  await add('too many for the room');
  const others = [add('e', 'other'), add('f', 'other')];
  await add('too many for all', 'third');
  expect(told).toEqual(['too many for the room unavailable', 'too many for all unavailable']);
  await settle();
  begun[0]!();
  begun[1]!();
  await settle();
  begun[2]!();
  await Promise.all([...waiting, ...others]);
  expect(told).toHaveLength(8);
});

test('what waits for a transaction that is refused before it began is refused with it, and the next change is not', async () => {
  const { begun, told, add } = startBatches();
  const waiting = ['a', 'b'].map((change) => add(change));
  await settle();
  begun[0]!(new Failure('unavailable', 'the database is away'));
  await Promise.all(waiting);
  const next = add('c');
  await settle();
  begun[1]!();
  await next;
  expect(told).toEqual(['a unavailable', 'b unavailable', 'c 0']);
});

test('a change that has waited for too long is refused and does not happen', async () => {
  const { begun, planned, told, add } = startBatches({ waitMs: -1 });
  const late = add('late');
  await settle();
  begun[0]!();
  await late;
  expect(told).toEqual(['late unavailable']);
  expect(planned).toEqual([[], []]);
});

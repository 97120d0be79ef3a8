import pino from 'pino';
import { expect, test, vi } from 'vitest';
import { queuedSend, roomFeed } from '../../../test/harness/room-fixture.ts';
import { Failure } from '../../errors.ts';
import { createBatchRecovery } from './batch-recovery.ts';
import type { Portion } from './room-queues.ts';

const refused = { code: '23514' }; // check_violation
const lockTimeout = { code: '55P03' };
const connectionLost = { code: 'CONNECTION_CLOSED' };

function startRecovery() {
  const queues = { release: vi.fn(), returnToFront: vi.fn(), putBack: vi.fn() };
  const hub = { catchUp: vi.fn(async () => {}) };
  const contended = { note: vi.fn() };
  const logger = pino({ level: 'silent' });
  const recovery = createBatchRecovery({ hub, queues, contended, outage: { failed: vi.fn() }, logger });
  return { ...recovery, queues, hub, contended };
}

function portion(roomId: string, ...sends: ReturnType<typeof queuedSend>[]): Portion {
  const queue = { feed: roomFeed(roomId), items: [], busy: true, ready: false };
  return { queue, sends: sends.map(({ send }) => send) };
}

const message = (overrides = {}) => queuedSend(roomFeed(), overrides);

test('a batch that Postgres refuses is committed again in halves', async () => {
  const { recover } = startRecovery();
  const [a, b, c] = ['a', 'b', 'c'].map((roomId) => portion(roomId, message()));
  expect(await recover([a!, b!, c!], refused)).toEqual([[a, b], [c]]);
});

test('of one room that Postgres refuses the first message is committed alone, and the rest waits behind it', async () => {
  const { recover, queues } = startRecovery();
  const [first, second] = [message(), message()];
  const room = portion('a', first, second);
  expect(await recover([room], refused)).toEqual([[{ queue: room.queue, sends: [first.send] }]]);
  expect(queues.returnToFront).toHaveBeenCalledExactlyOnceWith(room.queue, [second.send]);
});

test('a single message that Postgres refuses is refused, and its queue goes on', async () => {
  const { recover, queues } = startRecovery();
  const bad = message();
  const room = portion('a', bad);
  expect(await recover([room], refused)).toEqual([]);
  expect(bad.answers).toEqual(['23514']);
  expect(queues.release).toHaveBeenCalledExactlyOnceWith(room.queue);
});

test('a message that may be stored is never refused for certain, even if Postgres refuses its next try', async () => {
  const { recover } = startRecovery();
  const unknown = message({ maybeStored: true });
  expect(await recover([portion('a', unknown)], refused)).toEqual([]);
  expect(unknown.answers).toEqual(['outcome_unknown']);
});

test('a batch that found no free connection is tried again, since nothing was sent', async () => {
  const { recover, queues } = startRecovery();
  const waiting = message();
  const room = portion('a', waiting);
  expect(await recover([room], new Failure('unavailable', 'no connection'))).toEqual([]);
  expect(queues.putBack).toHaveBeenCalledExactlyOnceWith(room.queue, [waiting.send]);
  expect(waiting.answers).toEqual([]);
});

test('a message whose try was in flight is tried again, and stays unknown until Postgres answers', async () => {
  const { recover, queues } = startRecovery();
  const [early, late] = [message(), message({ deadlineMs: 0 })];
  const room = portion('a', early, late);
  await recover([room], connectionLost);
  expect(late.answers).toEqual(['outcome_unknown']);
  expect(queues.putBack).toHaveBeenCalledExactlyOnceWith(room.queue, [early.send]);
  const nowLate = portion('a', { send: { ...early.send, deadlineMs: 0 }, answers: [] });
  await recover([nowLate], { code: 'ECONNREFUSED' });
  expect(early.answers).toEqual(['outcome_unknown']);
});

test('a message that was never in flight is refused for certain when its time is over', async () => {
  const { recover } = startRecovery();
  const late = message({ deadlineMs: 0 });
  await recover([portion('a', late)], { code: 'ECONNREFUSED' });
  expect(late.answers).toEqual(['unavailable']);
});

test('a locked room waits alone and is contended from then on', async () => {
  const { recover, queues, contended } = startRecovery();
  const room = portion('a', message());
  expect(await recover([room], lockTimeout)).toEqual([]);
  expect(contended.note).toHaveBeenCalledExactlyOnceWith('a');
  await expect.poll(() => queues.putBack.mock.calls).toEqual([[room.queue, room.sends]]);
});

test('a batch that was stored in part by another instance is tried again after a catch-up', async () => {
  const { recover, queues, hub } = startRecovery();
  const room = portion('a', message());
  expect(await recover([room], { code: '22012' })).toEqual([]);
  expect(hub.catchUp).toHaveBeenCalledExactlyOnceWith(room.queue.feed);
  expect(queues.putBack).toHaveBeenCalledExactlyOnceWith(room.queue, room.sends);
});

import pino from 'pino';
import type { Counter } from 'prom-client';
import { expect, test, vi } from 'vitest';
import { queuedSend, roomFeed } from '../../../test/harness/room-fixture.ts';
import type { AppendOutcome } from './append-statement.ts';
import { createBatchSettlement } from './batch-settlement.ts';
import type { QueuedSend } from './queued-send.ts';

const stored: AppendOutcome = {
  atMs: Date.parse('2026-01-02T03:04:05.678Z'),
  stale: false,
  replaced: false,
  orphaned: undefined,
  repeated: [],
  stored: undefined,
};

function startSettlement() {
  const hub = { take: vi.fn(), announce: vi.fn(), catchUp: vi.fn(async () => {}) };
  const queues = { release: vi.fn(), putBack: vi.fn() };
  const epoch = { remember: vi.fn() };
  const contended = { note: vi.fn() };
  const conflicts = { inc: vi.fn() } as unknown as Counter;
  const logger = pino({ level: 'silent' });
  return { ...createBatchSettlement({ hub, queues, epoch, contended, conflicts, logger }), hub, queues, contended };
}

function portion(roomId: string, sends: readonly QueuedSend[]) {
  return { queue: { feed: roomFeed(roomId), items: [], busy: true, ready: false }, sends };
}

test('stored messages are answered after the feed has taken them, and announced together', () => {
  const { settle, hub, queues } = startSettlement();
  const [first, second] = [6, 7].map((seq) => queuedSend(roomFeed(), { seq, messageId: `m${seq}` }));
  const positionsAtAnswer: number[] = [];
  const answered = { ...first!.send, resolve: () => void positionsAtAnswer.push(hub.take.mock.calls.length) };
  const room = portion('room', [answered, second!.send]);
  settle([room], stored);
  expect(positionsAtAnswer).toEqual([1]);
  expect(second!.answers).toEqual(['ok']);
  expect(queues.release).toHaveBeenCalledExactlyOnceWith(room.queue);
  expect(hub.announce).toHaveBeenCalledExactlyOnceWith([
    { roomId: 'room', firstSeq: 6, events: [expect.stringContaining('"seq":6'), expect.stringContaining('"seq":7')] },
  ]);
});

test('a repeated key gets the first answer, or a conflict if its content differs; the rest is tried again', () => {
  const { settle, queues, contended, hub } = startSettlement();
  const [same, other, fresh] = ['same', 'other', 'fresh'].map((messageId) => queuedSend(roomFeed(), { messageId }));
  const room = portion('room', [same!.send, other!.send, fresh!.send]);
  const first = { messageId: 'first', seq: 3, atMs: 1 };
  const repeated = [
    { ...first, triedId: 'same', digest: 1n },
    { ...first, triedId: 'other', digest: 2n },
  ];
  settle([room], { ...stored, repeated, stored: new Map() });
  expect([same!.answers, other!.answers, fresh!.answers]).toEqual([['duplicate'], ['conflict'], []]);
  expect(queues.putBack).toHaveBeenCalledExactlyOnceWith(room.queue, [fresh!.send]);
  expect(contended.note).toHaveBeenCalledExactlyOnceWith('room');
  expect(hub.announce).not.toHaveBeenCalled();
});

test('an earlier try of the same message is not a duplicate', () => {
  const { settle } = startSettlement();
  const { send, answers } = queuedSend(roomFeed(), { messageId: 'own' });
  const repeated = [{ triedId: 'own', messageId: 'own', seq: 6, digest: 1n, atMs: 1 }];
  settle([portion('room', [send])], { ...stored, repeated, stored: new Map() });
  expect(answers).toEqual(['ok']);
});

test('a room whose seq another instance took is tried again after a catch-up; other rooms are stored', async () => {
  const { settle, hub, queues } = startSettlement();
  const [lost, kept] = [queuedSend(roomFeed('lost')), queuedSend(roomFeed('kept'), { seq: 6 })];
  const [lostRoom, keptRoom] = [portion('lost', [lost.send]), portion('kept', [kept.send])];
  settle([lostRoom, keptRoom], { ...stored, stored: new Map([['kept', 1]]) });
  expect(kept.answers).toEqual(['ok']);
  await expect.poll(() => queues.putBack.mock.calls).toEqual([[lostRoom.queue, [lost.send]]]);
  expect(hub.catchUp).toHaveBeenCalledExactlyOnceWith(lostRoom.queue.feed);
  expect(lost.answers).toEqual([]);
});

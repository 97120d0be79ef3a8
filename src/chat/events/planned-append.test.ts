import pino from 'pino';
import type { Counter } from 'prom-client';
import { expect, test, vi } from 'vitest';
import { roomFeed } from '../../../test/harness/room-fixture.ts';
import type { Database } from '../../database/connect.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { RoomState } from '../state/room-state.ts';
import { EventMissing, LogReplaced } from './event-repository.ts';
import { type AppendContext, createPlannedAppends } from './planned-append.ts';

const seqTaken = { code: '23505', constraint_name: 'events_room_id_seq_pk' };
const memberTaken = { code: '23505', constraint_name: 'members_pk' };

/** Appends whose transactions fail with these errors, one after another, and then succeed. */
function startAppends(errors: unknown[], onCatchUp: (feed: Feed<RoomState>) => void = () => {}, admissionMs = 60_000) {
  const tx = {
    execute: async () => [{ same: true, continued: true, at_ms: '1' }],
    insert: () => ({ values: async () => {} }),
  };
  const db = {
    transaction: async (work: (tx: unknown) => Promise<unknown>) => {
      const result = await work(tx);
      const error = errors.shift();
      if (error) throw error;
      return result;
    },
  } as unknown as Database;
  const hub = { take: vi.fn(), announce: vi.fn(), catchUp: async (feed: Feed<RoomState>) => onCatchUp(feed) };
  const epoch = { epoch: () => '', check: vi.fn(async () => {}), remember: vi.fn(), suspect: vi.fn(async () => {}) };
  const reader = { read: vi.fn(async () => []) };
  const conflicts = { inc: vi.fn() } as unknown as Counter;
  const appends = createPlannedAppends({
    ...{ db, hub, reader, epoch, conflicts, admissionMs },
    logger: pino({ level: 'silent' }),
  });
  const seqs: number[] = [];
  const work = async ({ nextSeq }: AppendContext) => {
    seqs.push(nextSeq);
    return { events: [{ type: 'room.updated', actorId: 'ana', data: {} }], answer: 'done' };
  };
  const feed = roomFeed();
  const append = (leftMs = 60_000) => appends.append(feed, work, performance.now() + leftMs);
  return { append, seqs };
}

test('an append gets the seq after the position', async () => {
  const { append } = startAppends([]);
  expect(await append()).toEqual({ answer: 'done', seq: 6, atMs: 1 });
});

test('if another instance took the seq, the plan is made again with the next one', async () => {
  const { append, seqs } = startAppends([seqTaken], (feed) => {
    feed.position = 6;
  });
  expect(await append()).toEqual({ answer: 'done', seq: 7, atMs: 1 });
  expect(seqs).toEqual([6, 7]);
});

test('a key that no append has taken is taken for good: the violation is thrown', async () => {
  const { append, seqs } = startAppends([memberTaken]);
  await expect(append()).rejects.toBe(memberTaken);
  expect(seqs).toEqual([6]);
});

test.each([
  ['another log', () => new LogReplaced()],
  ['a log that lost an event', () => new EventMissing()],
])('a plan is made again in %s if it is new, and refused if it is older', async (_what, createError) => {
  const young = startAppends([createError()]);
  expect(await young.append()).toMatchObject({ answer: 'done' });
  const old = startAppends([createError()], () => {}, -1);
  await expect(old.append()).rejects.toMatchObject({ code: 'unavailable' });
});

test('an error that no try can mend is thrown as it is', async () => {
  const error = new Error('a bug');
  const { append } = startAppends([error]);
  await expect(append()).rejects.toBe(error);
});

test('after a try that was in flight no failure is definite', async () => {
  const { append } = startAppends([{ code: 'CONNECTION_CLOSED' }, new Error('a bug')]);
  await expect(append()).rejects.toMatchObject({ code: 'outcome_unknown' });
});

test('a try that never reached Postgres is unavailable when the time is over', async () => {
  const { append } = startAppends([{ code: 'ECONNREFUSED' }]);
  await expect(append(-1)).rejects.toMatchObject({ code: 'unavailable' });
});

import { expect, test } from 'vitest';
import type { Connection } from '../socket/connection.ts';
import type { FeedEvent } from './feed.ts';
import { createPacedReplay } from './paced-replay.ts';

const head = 1000;

/** A client with room for so many events. It reads what waits when `take` is called. */
function startClient(room: number) {
  let free = room;
  let takes: (() => void)[] = [];
  const connection = {
    state: 'live',
    hasRoomFor: (_bytes: number, events: number) => events <= free,
    push: (_bytes: Buffer, events: number) => {
      free -= events;
      return true;
    },
    drained: () => new Promise<void>((resolve) => takes.push(resolve)),
  } as unknown as Connection;
  const take = () => {
    free = room;
    for (const resolve of takes.splice(0)) resolve();
    takes = [];
  };
  return { connection, take };
}

function startPages() {
  const reads: number[] = [];
  const read = async (_roomId: string, after: number, limit: number): Promise<FeedEvent[]> => {
    reads.push(limit);
    return Array.from({ length: Math.min(limit, head - after) }, (_, at) => ({ seq: after + at + 1, json: '{}' }));
  };
  return { reads, replayPage: createPacedReplay({ log: { read }, pageEvents: 500 }) };
}

const nextTick = () => new Promise((resolve) => setImmediate(resolve));

test('no page is read for a client that reads nothing', async () => {
  const { reads, replayPage } = startPages();
  const { connection, take } = startClient(10);
  const { pushed } = await replayPage(connection, { roomId: 'room', after: 0, upTo: head, from: 1 });
  expect(pushed).toBe(10);
  const next = replayPage(connection, { roomId: 'room', after: 10, upTo: head, from: 1 });
  const others = [1, 2, 3].map((n) => replayPage(connection, { roomId: `room ${n}`, after: 0, upTo: head, from: 1 }));
  await nextTick();
  expect(reads).toHaveLength(1);
  take();
  expect((await next).pushed).toBe(10);
  // Pages are no larger than what fitted.
  expect(reads[1]).toBe(10);
  const untilAll = setInterval(take, 1);
  await Promise.all(others);
  clearInterval(untilAll);
});

test('pages grow for a client that reads all of them', async () => {
  const { reads, replayPage } = startPages();
  const { connection } = startClient(head);
  let after = 0;
  while (after < head) after += (await replayPage(connection, { roomId: 'room', after, upTo: head, from: 1 })).pushed;
  expect(reads.slice(0, 3)).toEqual([64, 128, 256]);
  expect(Math.max(...reads)).toBeLessThanOrEqual(500);
});

test('no event is pushed beyond the seq that the reader is known to be entitled to', async () => {
  const { replayPage } = startPages();
  const { connection } = startClient(head);
  expect(await replayPage(connection, { roomId: 'room', after: 0, upTo: 3, from: 1 })).toEqual({ pushed: 3, seen: 64 });
});

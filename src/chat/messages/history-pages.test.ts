import { expect, test } from 'vitest';
import { createHistoryPages } from './history-pages.ts';

const page = { messages: [`"${'x'.repeat(1000)}"`], hasMore: false };

function startPages(cacheBytes: number, ttlMs = 60_000) {
  const read: string[] = [];
  const pages = createHistoryPages({
    repository: {
      newest: async (roomId) => {
        read.push(roomId);
        return page;
      },
    },
    readUncachedPage: async () => undefined,
    settings: { cacheBytes, ttlMs },
  });
  return {
    read,
    startOver: pages.startOver,
    ask: (roomId: string, position = 5) => pages.newest(roomId, position, 1, 50),
  };
}

test('a page is read once while the room’s position stays the same, and again after an event', async () => {
  const { read, ask } = startPages(100_000);
  const first = await ask('a');
  expect(await ask('a')).toBe(first);
  expect(JSON.parse(first.toString())).toMatchObject({ hasMore: false });
  await ask('a', 6);
  expect(read).toEqual(['a', 'a']);
});

test('a page of a log that was replaced is read again, even while it was being read', async () => {
  const { read, startOver, ask } = startPages(100_000);
  const reading = ask('a');
  startOver();
  await reading;
  await ask('a');
  startOver();
  await ask('a');
  expect(read).toEqual(['a', 'a', 'a']);
});

test('concurrent requests for a page share one read', async () => {
  const { read, ask } = startPages(100_000);
  const [first, second] = await Promise.all([ask('a'), ask('a')]);
  expect(second).toBe(first);
  expect(read).toEqual(['a']);
});

test('the cache keeps no more bytes than its bound: the least recently used page is read again', async () => {
  const { read, ask } = startPages(3000);
  for (const room of ['a', 'b', 'a', 'c', 'a', 'b']) await ask(room);
  expect(read).toEqual(['a', 'b', 'c', 'b']);
});

test('a page is not cached for longer than its profiles may be old', async () => {
  const { read, ask } = startPages(100_000, 0);
  await ask('a');
  await ask('a');
  expect(read).toEqual(['a', 'a']);
});

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

test('a page is read once while its room stands still, and again when the room moved', async () => {
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

test('those who ask at once share one reading', async () => {
  const { read, ask } = startPages(100_000);
  const [first, second] = await Promise.all([ask('a'), ask('a')]);
  expect(second).toBe(first);
  expect(read).toEqual(['a']);
});

test('no more bytes of pages are kept than the bound: the page unused longest is read again', async () => {
  const { read, ask } = startPages(3000);
  for (const room of ['a', 'b', 'a', 'c', 'a', 'b']) await ask(room);
  expect(read).toEqual(['a', 'b', 'c', 'b']);
});

test('a page is kept no longer than its names may be old', async () => {
  const { read, ask } = startPages(100_000, 0);
  await ask('a');
  await ask('a');
  expect(read).toEqual(['a', 'a']);
});

import { expect, test } from 'vitest';
import type { Feed, FeedState } from './feed.ts';
import { createFeedLoader } from './feed-loader.ts';

const state = { weight: () => 1 } as FeedState;

function startLoader() {
  const cached = new Map<string, Feed>();
  const loads: ((position: number | undefined) => void)[] = [];
  const behind: string[] = [];
  const loader = createFeedLoader<FeedState>({
    log: {
      load: () =>
        new Promise((resolve) =>
          loads.push((position) => resolve(position === undefined ? undefined : { position, state })),
        ),
    },
    feeds: { use: (roomId) => cached.get(roomId), add: (feed) => void cached.set(feed.roomId, feed) },
    onBehind: ({ roomId }) => behind.push(roomId),
  });
  return { loader, loads, behind };
}

test('calls during a load share it, and later calls find the feed in memory', async () => {
  const { loader, loads } = startLoader();
  const both = Promise.all([loader.find('a'), loader.find('a')]);
  loads[0]!(3);
  const [first, second] = await both;
  expect([first?.position, second]).toEqual([3, first]);
  expect(await loader.find('a')).toBe(first);
  expect(loads).toHaveLength(1);
});

test('a feed that is behind an event which arrived during its load catches up', async () => {
  const { loader, loads, behind } = startLoader();
  const rooms = Promise.all(['a', 'b'].map(loader.find));
  loader.noteSeen('a', 4);
  loader.noteSeen('b', 3);
  loader.noteSeen('elsewhere', 9);
  for (const load of loads) load(3);
  await rooms;
  expect(behind).toEqual(['a']);
});

test('a room that does not exist is loaded again with the next call', async () => {
  const { loader, loads } = startLoader();
  const missing = loader.find('a');
  loads[0]!(undefined);
  expect(await missing).toBeUndefined();
  await loader.settled();
  const found = loader.find('a');
  loads[1]!(1);
  expect((await found)?.position).toBe(1);
});

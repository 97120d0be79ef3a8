import { Gauge, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { Feed, type FeedState } from './feed.ts';
import { createFeedCache, type FeedCacheSettings } from './feed-cache.ts';

const wide: FeedCacheSettings = {
  roomsCached: 100,
  membersCached: 1000,
  recentEvents: 100,
  recentBytes: 100_000,
  recentBytesTotal: 1_000_000,
};

function startCache(changes: Partial<FeedCacheSettings>, members = 1) {
  const state: FeedState = {
    apply: () => undefined,
    isMember: () => true,
    isPublic: () => false,
    readableFrom: () => 1,
    hidesEarlier: () => false,
    joinedSeq: () => 1,
    weight: () => members,
  };
  const rooms = new Gauge({ name: 'rooms', help: 'rooms', registers: [new Registry()] });
  const cache = createFeedCache({ settings: { ...wide, ...changes }, isBusy: () => false, rooms });
  const add = (roomId: string) => {
    const feed = new Feed(roomId, 0, state);
    cache.add(feed);
    return feed;
  };
  const say = (feed: Feed, text: string) => {
    cache.take(feed, { seq: feed.position + 1, json: `{"type":"message.created","text":"${text}"}` });
  };
  const held = () => [...cache.values()].map(({ roomId }) => roomId);
  const count = async () => (await rooms.get()).values[0]?.value;
  return { cache, add, say, held, count };
}

/** The eviction that was planned for the next tick is done. */
const nextTick = () => new Promise(setImmediate);
const bytesOf = (feeds: readonly Feed[]) => feeds.reduce((sum, { recentBytes }) => sum + recentBytes, 0);

test('beyond the bound of rooms the least recently used one is dropped, but none that is in use', async () => {
  const { cache, add, held, count } = startCache({ roomsCached: 2 });
  add('a').pins = 1;
  add('b');
  add('c');
  expect(held()).toEqual(['a', 'b', 'c']);
  await nextTick();
  expect(held()).toEqual(['a', 'c']);
  add('d');
  cache.use('c');
  await nextTick();
  expect(held()).toEqual(['a', 'c']);
  expect(await count()).toBe(2);
});

test('beyond the bound of members, rooms are dropped', async () => {
  const { add, held } = startCache({ membersCached: 25 }, 10);
  for (const room of ['a', 'b', 'c']) add(room);
  await nextTick();
  expect(held()).toEqual(['b', 'c']);
});

test('a feed keeps its recent frames up to their number and their bytes, and tells when memory does not reach back', () => {
  const few = startCache({ recentEvents: 3 });
  const first = few.add('a');
  for (let n = 0; n < 5; n++) few.say(first, 'x');
  expect([first.framesAfter(2)?.length, first.framesAfter(1)]).toEqual([3, undefined]);

  const small = startCache({ recentBytes: 300 });
  const second = small.add('a');
  for (let n = 0; n < 5; n++) small.say(second, 'x'.repeat(80));
  expect(second.recentBytes).toBeLessThanOrEqual(300);
  expect([second.framesAfter(3)?.length, second.framesAfter(0)]).toEqual([2, undefined]);
});

test('beyond the bound of bytes unused rooms are dropped first; rooms in use lose only their recent frames', async () => {
  const { add, say, held } = startCache({ recentBytesTotal: 1000 });
  const [used, other] = [add('used'), add('other')];
  add('unused');
  used.pins = 1;
  other.pins = 1;
  for (let n = 0; n < 50; n++) {
    say(n % 2 === 0 ? used : other, 'x'.repeat(60));
    await nextTick();
    expect(bytesOf([used, other])).toBeLessThanOrEqual(1000);
  }
  expect(held()).toEqual(['used', 'other']);
  expect([used.position, other.position]).toEqual([25, 25]);
});

test('events of a dropped feed count nowhere', async () => {
  const { cache, add, say, held } = startCache({ recentBytesTotal: 1000 });
  const lost = add('lost');
  cache.forget(lost);
  for (let n = 0; n < 50; n++) say(lost, 'x'.repeat(60));
  add('kept');
  await nextTick();
  expect(held()).toEqual(['kept']);
});

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

function startMemory(changes: Partial<FeedCacheSettings>, members = 1) {
  const state: FeedState = {
    apply: () => undefined,
    isMember: () => true,
    isPublic: () => false,
    readableFrom: () => 1,
    weight: () => members,
  };
  const rooms = new Gauge({ name: 'rooms', help: 'rooms', registers: [new Registry()] });
  const memory = createFeedCache({ settings: { ...wide, ...changes }, isBusy: () => false, rooms });
  const add = (roomId: string) => {
    const feed = new Feed(roomId, 0, state);
    memory.add(feed);
    return feed;
  };
  const say = (feed: Feed, text: string) => {
    memory.take(feed, { seq: feed.position + 1, json: `{"type":"message.created","text":"${text}"}` });
  };
  const held = () => [...memory.values()].map(({ roomId }) => roomId);
  const count = async () => (await rooms.get()).values[0]?.value;
  return { memory, add, say, held, count };
}

/** What was planned for the turn after this one is done. */
const turnOver = () => new Promise(setImmediate);
const bytesOf = (feeds: readonly Feed[]) => feeds.reduce((sum, { recentBytes }) => sum + recentBytes, 0);

test('beyond the rooms the one unused longest is forgotten, but none that is in use', async () => {
  const { memory, add, held, count } = startMemory({ roomsCached: 2 });
  add('a').pins = 1;
  add('b');
  add('c');
  expect(held()).toEqual(['a', 'b', 'c']);
  await turnOver();
  expect(held()).toEqual(['a', 'c']);
  add('d');
  memory.use('c');
  await turnOver();
  expect(held()).toEqual(['a', 'c']);
  expect(await count()).toBe(2);
});

test('beyond the members of all rooms, rooms are forgotten', async () => {
  const { add, held } = startMemory({ membersCached: 25 }, 10);
  for (const room of ['a', 'b', 'c']) add(room);
  await turnOver();
  expect(held()).toEqual(['b', 'c']);
});

test('a room remembers its newest events up to their number and their bytes, and says where memory does not reach', () => {
  const few = startMemory({ recentEvents: 3 });
  const first = few.add('a');
  for (let n = 0; n < 5; n++) few.say(first, 'x');
  expect([first.framesAfter(2)?.length, first.framesAfter(1)]).toEqual([3, undefined]);

  const small = startMemory({ recentBytes: 300 });
  const second = small.add('a');
  for (let n = 0; n < 5; n++) small.say(second, 'x'.repeat(80));
  expect(second.recentBytes).toBeLessThanOrEqual(300);
  expect([second.framesAfter(3)?.length, second.framesAfter(0)]).toEqual([2, undefined]);
});

test('beyond the bytes of all rooms, unused rooms go first; of rooms in use the newest events go, not the rooms', async () => {
  const { add, say, held } = startMemory({ recentBytesTotal: 1000 });
  const [used, other] = [add('used'), add('other')];
  add('unused');
  used.pins = 1;
  other.pins = 1;
  for (let n = 0; n < 50; n++) {
    say(n % 2 === 0 ? used : other, 'x'.repeat(60));
    await turnOver();
    expect(bytesOf([used, other])).toBeLessThanOrEqual(1000);
  }
  expect(held()).toEqual(['used', 'other']);
  expect([used.position, other.position]).toEqual([25, 25]);
});

test('what a forgotten room takes in counts nowhere', async () => {
  const { memory, add, say, held } = startMemory({ recentBytesTotal: 1000 });
  const lost = add('lost');
  memory.forget(lost);
  for (let n = 0; n < 50; n++) say(lost, 'x'.repeat(60));
  add('kept');
  await turnOver();
  expect(held()).toEqual(['kept']);
});

import pino from 'pino';
import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { createChatMetrics } from '../../roles/wiring/chat-metrics.ts';
import { createLocalHints, type HintListener } from '../cluster/hints.ts';
import type { Connection } from '../socket/connection.ts';
import type { FeedEvent, FeedState } from './feed.ts';
import { createHub } from './hub.ts';

const open: FeedState = {
  apply: () => undefined,
  isMember: () => true,
  isPublic: () => false,
  readableFrom: () => 1,
  hidesEarlier: () => false,
  joinedSeq: () => 1,
  weight: () => 1,
};

/** A hub over an empty log. */
function startHub(
  roomsCached: number,
  read: (after: number) => Promise<FeedEvent[]> = async () => [],
  loaded: { position: number; state: FeedState } = { position: 0, state: open },
) {
  let loads = 0;
  let elsewhere: HintListener | undefined;
  const hints = {
    ...createLocalHints(),
    listen: (listener: HintListener) => {
      elsewhere = listener;
    },
  };
  const hub = createHub<FeedState>({
    log: {
      load: async () => {
        loads += 1;
        return loaded;
      },
      read: (_roomId, after) => read(after),
      heads: async () => new Map(),
    },
    hints,
    onRevocationHint: () => {},
    onMissing: () => {},
    membership: { joined: async () => undefined, left: () => '' },
    metrics: createChatMetrics(new Registry()).hub,
    logger: pino({ level: 'silent' }),
    settings: {
      headCheck: 60_000,
      deliverySlice: 16,
      roomsCached,
      membersCached: 1000,
      recentEvents: 100,
      recentBytes: 10_000,
      recentBytesTotal: 100_000,
      replayPageEvents: 100,
      resumeMaxEvents: 100,
    },
  });
  onTestFinished(hub.stop);
  let users = 0;
  /** A connection, how many events it got, and their seqs. */
  const enter = () => {
    let events = 0;
    const seqs: number[] = [];
    const signals: string[] = [];
    const reader = {
      user: { userId: `user-${users++}` },
      state: 'live',
      push: (bytes: Buffer, count: number) => {
        events += count;
        seqs.push(...[...bytes.toString('latin1').matchAll(/"seq":(\d+)/g)].map(([, seq]) => Number(seq)));
      },
      pushEphemeral: (bytes: Buffer) => signals.push(bytes.toString('latin1')),
      hasRoomFor: () => true,
      drained: async () => {},
    } as unknown as Connection;
    hub.addConnection(reader);
    return { reader, received: () => events, seqs, signals };
  };
  return { hub, enter, loads: () => loads, elsewhere: () => elsewhere! };
}

const event = (seq: number): FeedEvent => ({ seq, json: `{"type":"message.created","seq":${seq}}` });

test('a new reader gets the events of its room, however many rooms with readers fill the memory', async () => {
  const { hub, enter } = startHub(2);
  const people = Array.from({ length: 6 }, enter);
  await Promise.all(people.map(({ reader }, at) => hub.attach(reader, `room-${at}`, 0, 'member')));
  for (const at of people.keys()) hub.take(`room-${at}`, [event(1)]);
  await expect.poll(() => people.map(({ received }) => received())).toEqual(Array(6).fill(1));
});

test('rooms without readers or pins are dropped one tick after they were loaded', async () => {
  const { hub } = startHub(2);
  const feeds = await Promise.all(Array.from({ length: 6 }, (_, at) => hub.feed(`room-${at}`)));
  expect(feeds.map((feed) => feed?.roomId)).toEqual(Array.from({ length: 6 }, (_, at) => `room-${at}`));
  const held = () => feeds.filter((feed) => hub.loadedFeed(feed!.roomId) === feed).length;
  await expect.poll(held).toBe(2);
});

test('a caller that needs an event which the running catch-up missed waits for the next catch-up', async () => {
  const log = [event(1)];
  const looks: (() => void)[] = [];
  const { hub } = startHub(10, (after) => {
    const found = log.slice(after);
    return new Promise((resolve) => looks.push(() => resolve(found)));
  });
  const feed = (await hub.feed('room'))!;
  const running = hub.catchUp(feed);
  log.push(event(2));
  const reached = hub.catchUp(feed, 2).then(() => feed.position);
  looks.shift()!();
  await running;
  expect(feed.position).toBe(1);
  await expect.poll(() => looks.length).toBe(1);
  looks.shift()!();
  expect(await reached).toBe(2);
});

test('a catch-up ends even if the log does not hold the wanted event', async () => {
  const { hub } = startHub(10);
  const feed = (await hub.feed('room'))!;
  await hub.catchUp(feed, 5);
  expect(feed.position).toBe(0);
});

test('events after a removal are not replayed to the removed user, even if the removal comes while the log is read', async () => {
  const log = [1, 2, 3].map(event);
  const looks: (() => void)[] = [];
  const read = (after: number) => new Promise<FeedEvent[]>((resolve) => looks.push(() => resolve(log.slice(after))));
  let isMember = true;
  const state: FeedState = {
    ...open,
    isMember: () => isMember,
    apply: (_type, { seq }) => {
      if (seq === 4) isMember = false;
      return undefined;
    },
  };
  const { hub, enter } = startHub(10, read, { position: 3, state });
  const { reader, received } = enter();
  const attached = hub.attach(reader, 'room', 0, 'member');
  await expect.poll(() => looks.length).toBe(1);
  // The removal and what followed it: in memory, and in the log by the time that it is read.
  log.push(event(4), event(5));
  hub.take('room', [event(4), event(5)]);
  looks.shift()!();
  expect(await attached).toEqual({ result: 'left', seq: 3 });
  expect(received()).toBe(3);
});

test('a late hint of an earlier membership replays nothing of it, even if the user has joined again', async () => {
  const log = [1, 2, 3, 4, 5, 6, 7].map(event);
  let joinedSeq: number | undefined;
  const state: FeedState = {
    ...open,
    isMember: () => joinedSeq !== undefined,
    joinedSeq: () => joinedSeq,
    apply: (_type, { seq }) => {
      if (seq !== 6) return undefined;
      joinedSeq = seq;
      return { joined: 'user-0' };
    },
  };
  // The first read of the log ends when the test says so.
  const { promise: firstRead, resolve: endFirstRead } = Promise.withResolvers<void>();
  let reads = 0;
  const read = async (after: number) => {
    reads += 1;
    await firstRead;
    return log.slice(after);
  };
  const { hub, enter } = startHub(10, read, { position: 4, state });
  const { reader, seqs } = enter();
  // The membership that began with 2 ended with 4.
  hub.onJoin({ userId: 'user-0', roomId: 'room', seq: 2 });
  await expect.poll(() => reads).toBe(1);
  hub.take('room', [event(5), event(6), event(7)]);
  endFirstRead();
  await expect.poll(() => hub.isReading(reader, 'room')).toBe(true);
  expect(seqs).toEqual([6, 7]);
});

test('a signal of another instance does not overtake the removal that its sender knew of', async () => {
  const log = [event(1), event(2)];
  const looks: (() => void)[] = [];
  const read = (after: number) => new Promise<FeedEvent[]>((resolve) => looks.push(() => resolve(log.slice(after))));
  const state: FeedState = {
    ...open,
    apply: (_type, { seq }) => (seq === 2 ? { left: { userId: 'user-0', reason: 'removed' } } : undefined),
  };
  const { hub, enter, elsewhere } = startHub(10, read, { position: 1, state });
  const [removed, staying] = [enter(), enter()];
  for (const { reader } of [removed, staying]) await hub.attach(reader, 'room', 1, 'member');
  const signal = (name: string, afterSeq: number) =>
    elsewhere().onRoomSignal({
      roomId: 'room',
      json: `{"type":"typing","name":"${name}"}`,
      exceptUserIds: [],
      afterSeq,
    });
  signal('before', 1);
  // The hint of the removal is late: the log says who may still read.
  signal('after', 2);
  expect(removed.signals).toHaveLength(1);
  await expect.poll(() => looks.length).toBe(1);
  looks.shift()!();
  await expect.poll(() => staying.signals.length).toBe(2);
  expect(removed.signals.join()).not.toContain('after');
});

test('a connection that is gone before it reads a room is forgotten, and no room is loaded for it', async () => {
  const { hub, enter, loads } = startHub(10);
  const { reader } = enter();
  hub.removeConnection(reader);
  expect(await hub.attach(reader, 'room', 0, 'member')).toEqual({ result: 'closed', seq: 0 });
  expect(loads()).toBe(0);
});

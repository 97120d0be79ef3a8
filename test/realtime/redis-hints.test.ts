/** One suite for hints over a single Redis and over a real cluster of one node. */
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pino from 'pino';
import { Counter, Gauge, Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createOutages } from '../../src/logger/outages.ts';
import type { EventHint, Hints } from '../../src/realtime/cluster/hints.ts';
import { isRedisCluster } from '../../src/realtime/cluster/redis-cluster.ts';
import { createRedisHints, shardOf } from '../../src/realtime/cluster/redis-hints.ts';
import { type RedisProcess, startRedisProcess } from '../harness/redis-process.ts';

const logger = pino({ level: 'silent' });
let single: RedisProcess;
let clustered: RedisProcess;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'parley-cluster-'));
  single = await startRedisProcess();
  const cluster = ['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf', '--dir', dir];
  clustered = await startRedisProcess(...cluster, '--cluster-announce-ip', '127.0.0.1');
  const admin = new Redis(clustered.url);
  await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  while (!String(await admin.call('CLUSTER', 'INFO')).includes('cluster_state:ok'))
    await new Promise((wake) => setTimeout(wake, 20));
  admin.disconnect();
});
afterAll(async () => {
  await Promise.all([single.kill(), clustered.kill()]);
  await rm(dir, { recursive: true, force: true });
});

test('a Redis server tells whether it is a cluster', async () => {
  expect(await isRedisCluster(single.url, 1000, logger)).toBe(false);
  expect(await isRedisCluster(clustered.url, 1000, logger)).toBe(true);
  expect(await isRedisCluster('redis://127.0.0.1:1', 1000, logger)).toBe(false);
});

/** A proxy to the server that holds back subscriptions while it is `shut`, and lets all else through. */
async function startPickyWay(to: RedisProcess) {
  const links = new Set<Socket>();
  const cut = () => {
    for (const link of links) link.destroy();
  };
  const way = { shut: false, url: '', refused: 0, cut };
  const server = createServer((from) => {
    const link = connect({ port: to.port, host: '127.0.0.1' });
    links.add(from);
    from.on('data', (bytes) => {
      if (!way.shut || !/subscribe/i.test(bytes.toString('latin1'))) link.write(bytes);
      else way.refused += 1;
    });
    link.on('data', (bytes) => from.write(bytes));
    for (const [one, other] of [
      [from, link],
      [link, from],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  way.url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(() => {
    cut();
    server.close();
  });
  return way;
}

interface Instance {
  readonly hints: Hints;
  readonly events: EventHint[];
  readonly joins: string[];
  readonly count: (metric: 'published' | 'dropped' | 'received') => Promise<number>;
  /** How often the link was restored, and how often a subscription began. */
  readonly told: { restored: number; subscribed: number };
}

function startInstance(
  redis: { readonly url: string },
  cluster: boolean,
  prefix: string,
  { shards = 16, probeTimeout = 500 }: { shards?: number; probeTimeout?: number } = {},
): Instance {
  const registers = [new Registry()];
  const counter = (name: string) => new Counter({ name, help: name, registers });
  const metrics = {
    published: counter('published'),
    dropped: counter('dropped'),
    received: counter('received'),
    up: new Gauge({ name: 'up', help: 'up', registers }),
  };
  const settings = {
    url: redis.url,
    cluster,
    prefix,
    shards,
    commandTimeout: 500,
    probeInterval: 100,
    probeTimeout,
    publishQueueMax: 100,
  };
  const hints = createRedisHints({
    settings,
    logger,
    outages: createOutages(logger, 60_000),
    metrics,
    logId: () => 'log',
  });
  onTestFinished(() => hints.stop());
  const events: EventHint[] = [];
  const joins: string[] = [];
  const told = { restored: 0, subscribed: 0 };
  hints.listen({
    onEvents: (hint) => events.push(hint),
    onJoin: ({ userId, roomId, seq }) => joins.push(`${userId} ${roomId} ${seq}`),
    onRoomSignal: () => {},
    onUserSignal: () => {},
    onRevocation: () => joins.push('revoked'),
    onLinkRestored: () => {
      told.restored += 1;
    },
    onSubscribed: () => {
      told.subscribed += 1;
    },
  });
  const count = async (metric: 'published' | 'dropped' | 'received') =>
    (await metrics[metric].get()).values[0]?.value ?? 0;
  return { hints, events, joins, told, count };
}

const isUp = (...instances: Instance[]) =>
  expect.poll(() => instances.map(({ hints }) => hints.state())).toEqual(instances.map(() => 'up'));

test('replacing a link while it subscribes breaks nothing else, and hints flow once a later link is subscribed', async () => {
  const way = await startPickyWay(single);
  const one = startInstance(way, false, 'picky');
  await isUp(one);
  one.hints.followRoom('r');
  const restored = one.told.restored;
  way.shut = true;
  way.cut();
  await expect.poll(() => one.hints.state()).toBe('down');
  // Several links reconnected, subscribed, and were replaced.
  await expect.poll(() => way.refused).toBeGreaterThan(3);
  way.shut = false;
  await isUp(one);
  expect(one.told.restored).toBeGreaterThan(restored);
  const other = startInstance(single, false, 'picky');
  await isUp(other);
  other.hints.announceEvents([{ roomId: 'r', firstSeq: 1, events: ['{}'] }]);
  await expect.poll(() => one.events.map(({ firstSeq }) => firstSeq)).toEqual([1]);
});

describe.each([
  ['a single server', () => single, false],
  ['a cluster', () => clustered, true],
])('over %s', (_, server, cluster) => {
  const channelsOf = async (prefix: string) => {
    const redis = new Redis(server().url);
    const channels = (await redis.call('PUBSUB', cluster ? 'SHARDCHANNELS' : 'CHANNELS', `${prefix}:*`)) as string[];
    redis.disconnect();
    return channels.map((channel) => channel.slice(prefix.length + 1)).sort();
  };

  test('an instance gets hints of the rooms and users that it follows, and subscribes to nothing else', async () => {
    const prefix = `follow-${cluster}`;
    const [here, there] = [startInstance(server(), cluster, prefix), startInstance(server(), cluster, prefix)];
    await isUp(here, there);
    const shard = (id: string) => shardOf(id, 16);
    const other = Array.from({ length: 100 }, (_each, n) => `other${n}`).find((id) => shard(id) !== shard('r'))!;
    const before = there.told.subscribed;
    there.hints.followRoom('r');
    there.hints.followUser('u');
    await expect.poll(() => there.told.subscribed).toBeGreaterThanOrEqual(before + 2);
    expect((await channelsOf(prefix)).filter((channel) => /^(room|user)/.test(channel))).toEqual([
      `room:${shard('r')}`,
      `user:${shard('u')}`,
    ]);
    here.hints.announceEvents([
      { roomId: other, firstSeq: 1, events: ['{"of":"another room"}'] },
      { roomId: 'r', firstSeq: 7, events: ['{"n":7}', '{"n":8}'] },
    ]);
    here.hints.announceJoin({ userId: 'u', roomId: 'r', seq: 7 });
    here.hints.announceRevocation();
    await expect.poll(() => there.joins).toEqual(['u r 7', 'revoked']);
    await expect.poll(() => there.events).toEqual([{ roomId: 'r', firstSeq: 7, events: ['{"n":7}', '{"n":8}'] }]);
    expect([here.events, here.joins]).toEqual([[], []]);

    there.hints.unfollowRoom('r');
    await expect.poll(async () => (await channelsOf(prefix)).some((channel) => channel.startsWith('room'))).toBe(false);
  });

  test('a batch of many rooms is one publish per channel that it touches', async () => {
    const one = startInstance(server(), cluster, `batch-${cluster}`, { shards: 4 });
    await isUp(one);
    const rooms = Array.from({ length: 40 }, (_each, n) => `room${n}`);
    one.hints.announceEvents(rooms.map((roomId) => ({ roomId, firstSeq: 1, events: ['{}'] })));
    expect(await one.count('published')).toBe(new Set(rooms.map((roomId) => shardOf(roomId, 4))).size);
  });

  test('until a hung server is noticed at most the bound of hints wait for it, and none waits for ever', async () => {
    const one = startInstance(server(), cluster, `waiting-${cluster}`, { probeTimeout: 60_000 });
    await isUp(one);
    const [published, dropped] = [await one.count('published'), await one.count('dropped')];
    server().signal('SIGSTOP');
    try {
      for (let n = 1; n <= 250; n++) one.hints.announceEvents([{ roomId: 'r', firstSeq: n, events: ['{}'] }]);
      expect(one.hints.state()).toBe('up');
      expect(await one.count('published')).toBe(published + 100);
      expect(await one.count('dropped')).toBe(dropped + 150);
      // After the deadline of the command the waiting hints are dropped as well.
      await expect.poll(() => one.count('dropped')).toBe(dropped + 250);
    } finally {
      server().signal('SIGCONT');
    }
  });

  test('a hung server is noticed, nothing is queued for it, and hints flow again when it wakes', async () => {
    const prefix = `frozen-${cluster}`;
    const [here, there] = [startInstance(server(), cluster, prefix), startInstance(server(), cluster, prefix)];
    await isUp(here, there);
    there.hints.followRoom('r');
    const restored = there.told.restored;
    server().signal('SIGSTOP');
    const states = () => [here, there].map(({ hints }) => hints.state());
    await expect.poll(states).toEqual(['down', 'down']);
    const published = await here.count('published');
    for (let n = 1; n <= 50; n++) here.hints.announceEvents([{ roomId: 'r', firstSeq: n, events: ['{}'] }]);
    expect(await here.count('published')).toBe(published);
    expect(await here.count('dropped')).toBeGreaterThanOrEqual(50);
    server().signal('SIGCONT');
    await expect.poll(states).toEqual(['up', 'up']);
    await expect.poll(() => there.told.restored).toBeGreaterThan(restored);
    await expect
      .poll(() => {
        here.hints.announceEvents([{ roomId: 'r', firstSeq: 51, events: ['{}'] }]);
        return there.events.at(-1)?.firstSeq;
      })
      .toBe(51);
  });
});

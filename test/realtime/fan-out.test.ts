import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RedisProcess, startRedisProcess } from '../harness/redis-process.ts';
import { type Fleet, startFleet } from '../harness/stack.ts';
import { connect, createRoom, signUp, type TestSocket } from '../harness/test-client.ts';

let fleet: Fleet;
let redis: RedisProcess;

beforeAll(async () => {
  redis = await startRedisProcess();
  fleet = await startFleet({ chats: 2, processings: 2, redisUrl: redis.url });
});
afterAll(async () => {
  await fleet.end();
  await redis.kill();
});

test('every member sees the same gapless log from both instances, also when Redis dies and returns in the middle', async () => {
  const [first, second] = fleet.chats.map((chat) => chat.url) as [string, string];
  const users = await Promise.all(Array.from({ length: 4 }, () => signUp(first)));
  const room = await createRoom(users);
  const sockets: TestSocket[] = await Promise.all(
    users.map((user, index) => connect(index % 2 === 0 ? first : second, user)),
  );
  const acks: { seq: number; text: string }[] = [];
  const send = async (count: number, label: string) => {
    await Promise.all(
      sockets.map(async (socket, sender) => {
        for (let n = 0; n < count; n++) {
          const text = `${label} ${sender}/${n}`;
          const ack = await socket.say(room, text);
          expect(ack.type, JSON.stringify(ack)).toBe('ack');
          acks.push({ seq: ack.seq!, text });
        }
      }),
    );
  };
  await send(15, 'before');
  await redis.kill();
  await send(15, 'without redis');
  await redis.start();
  await send(20, 'after');

  expect(acks).toHaveLength(200);
  const expected = acks.toSorted((left, right) => left.seq - right.seq);
  const firstSeq = expected[0]!.seq;
  expect(expected.map((each) => each.seq)).toEqual(Array.from({ length: 200 }, (_, index) => firstSeq + index));
  for (const socket of sockets) {
    await socket.until((frame) => frame.seq === firstSeq + 199 && frame.roomId === room);
    expect(socket.texts(room)).toEqual(expected.map((each) => each.text));
    const seqs = socket.events(room).map((frame) => frame.seq!);
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, index) => seqs[0]! + index));
  }
});

test('typing reaches the other instance, and not the one who types', async () => {
  const [first, second] = fleet.chats.map((chat) => chat.url) as [string, string];
  const [ana, ben] = await Promise.all([signUp(first), signUp(first)]);
  const room = await createRoom([ana, ben]);
  const here = await connect(first, ana);
  const there = await connect(second, ben);
  await expect
    .poll(
      async () => {
        await here.ask({ type: 'typing', roomId: room, active: true });
        return there.frames.some((frame) => frame.type === 'typing' && frame.data!.userId === ana.id);
      },
      { interval: 1100 },
    )
    .toBe(true);
  expect(here.frames.filter((frame) => frame.type === 'typing')).toEqual([]);
});

test('a logout on one instance closes the sockets of that login on the other', async () => {
  const [first, second] = fleet.chats.map((chat) => chat.url) as [string, string];
  const ana = await signUp(first);
  const there = await connect(second, ana);
  expect((await ana.call('POST', '/v1/auth/logout')).status).toBe(204);
  expect((await there.closed).code).toBe(4003);
  expect((await ana.at(second).call('GET', '/v1/users/me')).status).toBe(401);
});

test('sends go on through the local engine while no processing instance lives, and return to a remote one', async () => {
  const chat = fleet.chats[0]!.url;
  const ana = await signUp(chat);
  const room = await createRoom([ana]);
  const socket = await connect(chat, ana);
  const verdicts = async (source: string) => {
    const page = await (await fetch(`${chat}/metrics`)).text();
    return Number(new RegExp(`parley_verdicts_total\\{source="${source}"\\} (\\d+)`).exec(page)?.[1] ?? 0);
  };
  for (const processing of fleet.processings) await processing.kill();
  const localBefore = await verdicts('local');
  for (let n = 0; n < 20; n++) expect((await socket.say(room, `local ${n}`)).type).toBe('ack');
  expect((await verdicts('local')) - localBefore).toBeGreaterThanOrEqual(20);

  const { startParley } = await import('../harness/parley-process.ts');
  const dead = fleet.processings[0]!;
  fleet.processings[0] = await startParley({
    role: 'processing',
    processingPort: Number(new URL(dead.processingUrl).port),
    settings: { DATABASE_URL: fleet.database.url, REDIS_URL: redis.url },
  });
  await expect
    .poll(async () => {
      const before = await verdicts('remote');
      await socket.say(room, 'remote again');
      return (await verdicts('remote')) > before;
    })
    .toBe(true);
  expect(socket.texts(room).filter((text) => text.startsWith('local'))).toHaveLength(20);
});

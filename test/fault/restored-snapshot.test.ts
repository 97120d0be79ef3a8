/** The files of Postgres are put back to a snapshot: same system identifier, same timeline, like after a crash. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { type ParleyProcess, startParley } from '../harness/parley-process.ts';
import { type PostgresProcess, startPostgresProcess } from '../harness/postgres-process.ts';
import { connect, createRoom, type Frame, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

type Socket = Awaited<ReturnType<typeof connect>>;

interface Town {
  readonly postgres: PostgresProcess;
  readonly instances: ParleyProcess[];
  /** Starts an instance. Its memory outside of Postgres is in the town's folder and in Redis, under the town's name. */
  readonly startInstance: () => Promise<ParleyProcess>;
  /** Deletes the memories of instances outside of Postgres. */
  readonly forgetMemories: () => Promise<void>;
}

let towns = 0;

async function startTown(): Promise<Town> {
  const postgres = await startPostgresProcess();
  let folder = await mkdtemp(join(tmpdir(), 'parley-memories-'));
  let prefix = `restored-${process.pid}-${towns++}`;
  const instances: ParleyProcess[] = [];
  onTestFinished(async () => {
    await Promise.all(instances.filter((each) => !each.exited()).map((each) => each.kill()));
    await postgres.end();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    postgres,
    instances,
    startInstance: async () => {
      const instance = await startParley({
        role: 'all',
        settings: {
          DATABASE_URL: postgres.url,
          REDIS_URL: inject('redisUrl'),
          PARLEY_REDIS_PREFIX: prefix,
          PARLEY_DATABASE_MEMORY_DIR: folder,
          PARLEY_MODERATION_TIMEOUT: '10s',
          PARLEY_MESSAGE_SEND_TIMEOUT: '8s',
        },
      });
      instances.push(instance);
      return instance;
    },
    forgetMemories: async () => {
      await rm(folder, { recursive: true, force: true });
      folder = await mkdtemp(join(tmpdir(), 'parley-memories-'));
      prefix = `restored-${process.pid}-${towns++}`;
    },
  };
}

/** Sends it until it is stored. */
async function sayFor(socket: Socket, room: string, text: string): Promise<Frame> {
  let answer: Frame | undefined;
  await expect
    .poll(async () => {
      answer = await socket.say(room, text, text);
      return answer.type;
    })
    .toBe('ack');
  return answer!;
}

/** Opens a socket as soon as the instance accepts it again. */
async function reconnect(url: string, user: TestUser, resume?: Parameters<typeof connect>[2]): Promise<Socket> {
  let socket: Socket | undefined;
  await expect
    .poll(async () => {
      socket = await connect(url, user, resume).catch(() => undefined);
      return socket !== undefined;
    })
    .toBe(true);
  return socket!;
}

/** The text that each seq of a room had, by log. Two texts would break the promise of seqs. */
function meanings(room: string, sockets: readonly Socket[]): Map<string, Set<string>> {
  const seen = new Map<string, Set<string>>();
  for (const { welcome, events } of sockets) {
    for (const { type, seq, data } of events(room)) {
      const { message } = (data ?? {}) as { message?: { text: string } };
      const key = `${welcome.logId as string} ${seq}`;
      seen.set(key, (seen.get(key) ?? new Set()).add(`${type} ${message?.text ?? ''}`));
    }
  }
  return seen;
}

async function historyOf(user: TestUser, room: string): Promise<{ seq: number; text: string }[]> {
  const { messages } = await mustCall(user, 'GET', `/v1/rooms/${room}/messages?limit=100`);
  return messages as unknown as { seq: number; text: string }[];
}

test('a crash of Postgres keeps the log; a restore under running instances makes another log, and no seq means two events', async () => {
  const { postgres, startInstance } = await startTown();
  const [first, second] = [await startInstance(), await startInstance()];
  const [ana, ben] = [await signUp(first.url), await signUp(second.url)];
  const room = await createRoom([ana, ben]);
  const here = await connect(first.url, ana);
  const there = await connect(second.url, ben);
  await here.say(room, 'kept');
  await there.until(({ seq }) => seq === 3);

  await postgres.kill();
  await postgres.snapshot();
  await postgres.start();
  expect((await sayFor(here, room, 'lost 0')).seq).toBe(4);
  const { logId } = here.welcome as unknown as { logId: string };
  expect((await reconnect(second.url, ben)).welcome.logId).toBe(logId);
  for (let n = 1; n < 20; n++) await here.say(room, `lost ${n}`);
  await there.until(({ seq }) => seq === 23);
  expect(here.socket.readyState).toBe(here.socket.OPEN);

  await postgres.kill();
  await postgres.restore();
  await postgres.start();
  const closes = await Promise.all([here.closed, there.closed]);
  expect(closes.map(({ code }) => code)).toEqual([1012, 1012]);
  const resume = { logId, rooms: { [room]: 23 } };
  const after = await Promise.all([reconnect(first.url, ana, resume), reconnect(second.url, ben, resume)]);
  for (const socket of after) {
    await socket.until(({ type }) => type === 'resumed');
    expect(socket.welcome.logId).not.toBe(logId);
    expect(socket.frames.filter(({ type }) => type === 'room.reset')).toMatchObject([{ roomId: room, seq: 3 }]);
  }
  expect(after[0]!.welcome.logId).toBe(after[1]!.welcome.logId);
  for (let n = 0; n < 30; n++) await sayFor(after[n % 2]!, room, `new ${n}`);
  for (const socket of after) await socket.until(({ seq }) => seq === 33);
  for (const [place, meant] of meanings(room, [here, there, ...after])) expect([place, meant.size]).toEqual([place, 1]);
  const history = await historyOf(ana, room);
  expect(history.map(({ seq }) => seq)).toEqual(Array.from({ length: 31 }, (_, at) => at + 3));
  expect(history.some(({ text }) => text.startsWith('lost'))).toBe(false);
});

test('an instance that saw none of the lost events appends nothing before the one that did has testified', async () => {
  const { postgres, startInstance } = await startTown();
  const [first, second] = [await startInstance(), await startInstance()];
  const [ana, ben] = [await signUp(first.url), await signUp(second.url)];
  const room = await createRoom([ana, ben]);
  const here = await connect(first.url, ana);
  await postgres.kill();
  await postgres.snapshot();
  await postgres.start();
  await sayFor(here, room, 'lost');
  // Paused during the restore, so it cannot testify.
  first.signal('SIGSTOP');
  await postgres.kill();
  await postgres.restore();
  await postgres.start();
  const there = await reconnect(second.url, ben);
  const stored = await sayFor(there, room, 'in its place');
  expect(stored.seq).toBe(3);
  first.signal('SIGCONT');
  expect((await here.closed).code).toBeGreaterThan(0);
  expect(there.welcome.logId).not.toBe(here.welcome.logId);
  expect(await historyOf(ana, room)).toMatchObject([{ seq: 3, text: 'in its place' }]);
});

test.each([
  { end: 'ended cleanly', how: 'SIGTERM', memories: 'kept' },
  { end: 'killed', how: 'SIGKILL', memories: 'kept' },
  { end: 'ended cleanly', how: 'SIGTERM', memories: 'gone' },
  { end: 'killed', how: 'SIGKILL', memories: 'gone' },
] as const)(
  'a restore while everything is down is another log: instances $end, their memories $memories',
  async ({ how, memories }) => {
    const { postgres, startInstance, forgetMemories } = await startTown();
    let instance = await startInstance();
    const end = () => (how === 'SIGTERM' ? instance.stop() : instance.kill());
    const ana = await signUp(instance.url);
    const room = await createRoom([ana]);
    const before = await connect(instance.url, ana);
    await before.say(room, 'kept');
    await before.close();
    // A snapshot of a deployment that was shut down properly. It holds nothing about later events.
    await end();
    await postgres.stop();
    await postgres.snapshot();
    await postgres.start();
    instance = await startInstance();
    const lost = await connect(instance.url, ana.at(instance.url));
    for (let n = 0; n < 5; n++) await lost.say(room, `lost ${n}`);
    const resume = { logId: lost.welcome.logId as string, rooms: { [room]: 7 } };
    await lost.close();
    await end();
    await postgres.stop();
    await postgres.restore();
    await postgres.start();
    if (memories === 'gone') await forgetMemories();
    instance = await startInstance();

    const writer = await connect(instance.url, ana.at(instance.url));
    for (let n = 0; n < 8; n++) await writer.say(room, `new ${n}`);
    const after = await connect(instance.url, ana.at(instance.url), resume);
    await after.until(({ type }) => type === 'resumed');
    expect(after.welcome.logId).not.toBe(resume.logId);
    expect(after.frames.filter(({ type }) => type === 'room.reset')).toMatchObject([{ roomId: room, seq: 10 }]);
    expect((await historyOf(ana.at(instance.url), room)).map(({ text }) => text)).toEqual([
      'kept',
      ...Array.from({ length: 8 }, (_, n) => `new ${n}`),
    ]);
  },
);

test('instances and Postgres killed together continue the log when restarted on the same files', async () => {
  const { postgres, startInstance } = await startTown();
  const first = await startInstance();
  const ana = await signUp(first.url);
  const room = await createRoom([ana]);
  const before = await connect(first.url, ana);
  for (let n = 0; n < 5; n++) await before.say(room, `${n}`);
  await first.kill();
  await postgres.kill();
  await postgres.start();
  const second = await startInstance();
  const resume = { logId: before.welcome.logId as string, rooms: { [room]: 3 } };
  const after = await connect(second.url, ana.at(second.url), resume);
  await after.until(({ type }) => type === 'resumed');
  expect(after.welcome.logId).toBe(resume.logId);
  expect(after.texts(room)).toEqual(['2', '3', '4']);
});

/** A real PgBouncer between Parley and Postgres, in both modes that Parley works with. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { sql as drizzleSql } from 'drizzle-orm';
import postgres from 'postgres';
import { expect, onTestFinished, test } from 'vitest';
import { connectDatabase } from '../../src/database/connect.ts';
import { mailTo } from '../harness/mailbox.ts';
import { nodeEnvironment } from '../harness/node-environment.ts';
import { type PgbouncerProcess, startPgbouncer } from '../harness/pgbouncer-process.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { connect, createRoom, mustCall, signUp } from '../harness/test-client.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

const run = promisify(execFile);
const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const limitMs = 120_000;

async function startPooler(
  poolMode: 'session' | 'transaction',
  poolSize: number,
): Promise<{ database: TestDatabase; pooler: PgbouncerProcess }> {
  const database = await createDatabase();
  const pooler = await startPgbouncer({ url: database.url, poolMode, poolSize });
  onTestFinished(async () => {
    await pooler.stop();
    await database.drop();
  });
  return { database, pooler };
}

interface Town {
  readonly parley: Single;
  /** The database itself, past the pooler. */
  readonly direct: postgres.Sql;
}

/** Few server connections in transaction mode, so that all clients share them. */
async function startTown(poolMode: 'session' | 'transaction'): Promise<Town> {
  const { database, pooler } = await startPooler(poolMode, poolMode === 'session' ? 60 : 4);
  const parley = await startSingle({
    DATABASE_URL: pooler.url,
    PARLEY_DATABASE_POOLING: poolMode,
    PARLEY_DATABASE_LOCK_TIMEOUT: '300ms',
    PARLEY_MESSAGE_SEND_TIMEOUT: '5s',
    PARLEY_MODERATION_TIMEOUT: '10s',
  });
  const direct = postgres(database.url, { max: 2, onnotice: () => {} });
  onTestFinished(async () => {
    await direct.end();
    await parley.end();
  });
  return { parley, direct };
}

test.each(['session', 'transaction'] as const)(
  'in %s mode everything that is answered is stored: sends, edits, deletions, members, mails',
  async (poolMode) => {
    const { parley, direct } = await startTown(poolMode);
    const people = await Promise.all(Array.from({ length: 4 }, () => signUp(parley.url)));
    const [ana] = people;
    const room = await createRoom(people);
    const sockets = await Promise.all(people.map((person) => connect(parley.url, person)));
    const acks = await Promise.all(
      Array.from({ length: 120 }, (_, n) => sockets[n % 4]!.say(room, `said ${n}`, `key ${n}`)),
    );
    expect(acks.map(({ type, code }) => code ?? type)).toEqual(acks.map(() => 'ack'));
    const edits = await Promise.all(
      acks.slice(0, 40).map(async ({ messageId }, n) => {
        const path = `/v1/rooms/${room}/messages/${messageId as string}`;
        const { status } = await people[n % 4]!.call('PATCH', path, { text: `edited ${n}` });
        return status === 200 ? (messageId as string) : undefined;
      }),
    );
    const deletions = await Promise.all(
      acks.slice(60, 80).map(async ({ messageId }, n) => {
        const { status } = await people[n % 4]!.call('DELETE', `/v1/rooms/${room}/messages/${messageId as string}`);
        return status === 204 ? (messageId as string) : undefined;
      }),
    );
    await mustCall(ana!, 'DELETE', `/v1/rooms/${room}/members/${people[3]!.id}`);
    expect(edits.filter(Boolean)).toHaveLength(40);
    expect(deletions.filter(Boolean)).toHaveLength(20);
    const stored =
      await direct`select seq::int, message_id, text, deleted_at from events where room_id = ${room} order by seq`;
    expect(stored.map(({ seq }) => seq)).toEqual(stored.map((_, at) => at + 1));
    const byId = new Map(stored.filter(({ text }) => text !== null).map((row) => [row.message_id as string, row]));
    for (const [n, { messageId }] of acks.entries())
      expect(byId.get(messageId as string)?.text).toBe(n < 40 ? `edited ${n}` : n >= 60 && n < 80 ? '' : `said ${n}`);
    const members = await direct`select user_id from members where room_id = ${room}`;
    expect(members).toHaveLength(3);
    await mustCall(ana!, 'POST', '/v1/auth/password/forgot', { email: ana!.email });
    // Registering queued one job, and this another.
    await mailTo(parley.url, ana!.email, /password/i);
    expect(parley.output()).not.toMatch(/prepared statement/);
  },
  limitMs,
);

test.each(['session', 'transaction'] as const)(
  'in %s mode the bounds of statements hold: a locked room keeps nobody else waiting, and no statement waits beyond its time',
  async (poolMode) => {
    const { parley, direct } = await startTown(poolMode);
    const ana = await signUp(parley.url);
    const [locked, free] = [await createRoom([ana]), await createRoom([ana])];
    const socket = await connect(parley.url, ana);
    const { promise: holding, resolve: isHolding } = Promise.withResolvers<void>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const lock = direct
      .begin(async (tx) => {
        // The seq that the next message would take.
        await tx`insert into events (room_id, seq, type, at, actor_id, data)
          values (${locked}, 2, 'room.updated', now(), ${ana.id}, '{}')`;
        isHolding();
        await released;
        throw new Error('rolled back');
      })
      .catch(() => undefined);
    await holding;
    const stuck = socket.say(locked, 'stuck', 's');
    const went = await Promise.all(Array.from({ length: 20 }, (_, n) => socket.say(free, `beside ${n}`)));
    expect(went.map(({ type, code }) => code ?? type)).toEqual(went.map(() => 'ack'));
    expect(['unavailable', 'outcome_unknown']).toContain((await stuck).code);
    // No server process waits for the lock for longer than its time, whichever client it works for.
    await expect
      .poll(async () => (await direct`select 1 from pg_stat_activity where wait_event_type = 'Lock'`).length)
      .toBe(0);
    release();
    await lock;
    expect(await socket.say(locked, 'stuck', 's')).toMatchObject({ type: 'ack', seq: 2 });
  },
  limitMs,
);

test('a start through a pooler in transaction mode that is not in the settings ends with one clear line', async () => {
  const { pooler } = await startPooler('transaction', 10);
  const started = run(process.execPath, [entry, '--role', 'all'], {
    env: {
      ...nodeEnvironment,
      DATABASE_URL: pooler.url,
      HOST: '127.0.0.1',
      PORT: '0',
      PARLEY_PROCESSING_PORT: '0',
    },
  });
  await expect(started).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^parley: [^\n]*transaction mode[^\n]*PARLEY_DATABASE_POOLING=transaction[^\n]*\n$/),
  });
});

test('a transaction that the server rolled back is never reported as committed', async () => {
  const { database, pooler } = await startPooler('transaction', 3);
  const direct = postgres(database.url, { max: 1, onnotice: () => {} });
  await direct`create table stored (n int primary key)`;
  // As if the pooler were not in the settings: prepared statements are used, and are often missing.
  const { db, close } = connectDatabase({
    url: pooler.url,
    poolSize: 8,
    statementTimeout: 5000,
    connectTimeout: 5000,
    name: 'test',
  });
  onTestFinished(async () => {
    await close();
    await direct.end();
  });
  const outcomes = await Promise.all(
    Array.from({ length: 120 }, (_, n) =>
      db
        .transaction(async (tx) => {
          await tx.execute(drizzleSql`insert into stored values (${n})`);
          return n;
        })
        .catch(() => undefined),
    ),
  );
  const rows = new Set((await direct`select n from stored`).map(({ n }) => n as number));
  expect(outcomes.filter((n) => n !== undefined && !rows.has(n))).toEqual([]);
});

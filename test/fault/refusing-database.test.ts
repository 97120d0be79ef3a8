/** Postgres answers and refuses: no space, read-only, locked. */
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Single, startSingle } from '../harness/stack.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: Single;
let ana: TestUser;
let sql: postgres.Sql;

beforeAll(async () => {
  parley = await startSingle({
    PARLEY_MODERATION_TIMEOUT: '5s',
    PARLEY_MESSAGE_SEND_TIMEOUT: '4s',
    PARLEY_DATABASE_LOCK_TIMEOUT: '200ms',
    PARLEY_DATABASE_POOL_SIZE: '4',
  });
  ana = await signUp(parley.url);
  sql = postgres(parley.database.url, { max: 2, onnotice: () => {} });
});
afterAll(async () => {
  await sql.end();
  await parley.end();
});

const seqsOf = async (room: string) =>
  (await sql`select seq::int from events where room_id = ${room} order by seq`).map(({ seq }) => seq);

async function makeReadOnly(how: 'on' | 'off'): Promise<void> {
  const name = parley.database.url.split('/').at(-1)!;
  await sql.unsafe(`set default_transaction_read_only = off`);
  await sql.unsafe(`alter database ${name} set default_transaction_read_only = ${how}`);
  await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name like 'parley-%'`;
}

test('while Postgres cannot write, sends are definitely refused and reads continue; sends work again by themselves', async () => {
  const room = await createRoom([ana]);
  const socket = await connect(parley.url, ana);
  await socket.say(room, 'before', 'k0');
  await makeReadOnly('on');
  await expect.poll(async () => (await socket.say(room, 'refused', 'k1')).code).toBe('unavailable');
  const history = await mustCall(ana, 'GET', `/v1/rooms/${room}/messages`);
  expect((history.messages as unknown as { text: string }[]).map(({ text }) => text)).toEqual(['before']);
  expect(socket.socket.readyState).toBe(socket.socket.OPEN);
  await makeReadOnly('off');
  await expect.poll(async () => (await socket.say(room, 'refused', 'k1')).type).toBe('ack');
  expect(await seqsOf(room)).toEqual([1, 2, 3]);
});

test('a room with locked rows delays no other room, and its sends are answered in time', async () => {
  const [locked, free] = [await createRoom([ana]), await createRoom([ana])];
  const socket = await connect(parley.url, ana);
  let release: () => void = () => {};
  let holding: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    holding = resolve;
  });
  const lock = sql.begin(async (tx) => {
    // The seq that the next message would take. An insert of it waits for the end of this transaction.
    await tx`insert into events (room_id, seq, type, at, actor_id, data)
      values (${locked}, 2, 'room.updated', now(), ${ana.id}, '{}')`;
    holding();
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    throw new Error('rolled back');
  });
  lock.catch(() => undefined);
  await held;
  const stuck = Array.from({ length: 5 }, (_, n) => socket.say(locked, `stuck ${n}`, `s${n}`));
  const went = await Promise.all(Array.from({ length: 20 }, (_, n) => socket.say(free, `beside ${n}`, `f${n}`)));
  expect(went.map(({ type, code }) => code ?? type)).toEqual(went.map(() => 'ack'));
  const answers = await Promise.all(stuck);
  for (const answer of answers) expect(['unavailable', 'outcome_unknown']).toContain(answer.code);
  release();
  const again = await Promise.all(Array.from({ length: 5 }, (_, n) => socket.say(locked, `stuck ${n}`, `s${n}`)));
  expect(again.map(({ seq }) => seq)).toEqual([2, 3, 4, 5, 6]);
  expect(await seqsOf(locked)).toEqual([1, 2, 3, 4, 5, 6]);
});

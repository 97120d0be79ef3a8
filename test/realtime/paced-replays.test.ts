/** Slow readers with a long replay: they miss nothing, delay nobody and cost no memory. */
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { metricOf } from '../harness/metric.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { connect, createRoom, openSocket, signUp, type TestUser } from '../harness/test-client.ts';

const rooms = 30;
const missed = 200;
let parley: Single;
let ana: TestUser;
let ids: string[];
let logId: string;

beforeAll(async () => {
  parley = await startSingle({ PARLEY_REALTIME_HANDSHAKES_MAX: '2', PARLEY_DATABASE_STATEMENT_TIMEOUT: '30s' });
  ana = await signUp(parley.url);
  ids = [];
  while (ids.length < rooms) ids.push(await createRoom([ana]));
  const before = await connect(parley.url, ana);
  logId = before.welcome.logId as string;
  await before.close();
  const sql = postgres(parley.database.url, { max: 1 });
  // 4,000 characters each: 24 MB, more than twenty times the bound of a reader's queue.
  await sql`insert into events (room_id, seq, type, actor_id, message_id, client_id, digest, text, html)
    select r::uuid, n, 'message.created', ${ana.id}, gen_random_uuid(), n::text, 0, repeat('some words', 400), ''
    from unnest(${ids}::text[]) r cross join generate_series(2, ${missed + 1}) n`;
  await sql.end();
});
afterAll(() => parley.end());

/** Says hello without waiting for its answer. */
async function comeBack() {
  const socket = await openSocket(parley.url);
  const resume = { logId, rooms: Object.fromEntries(ids.map((id) => [id, 1])) };
  socket.sendRaw(JSON.stringify({ type: 'hello', id: 'hello', token: ana.accessToken, resume }));
  return socket;
}

test('a client that missed much in many rooms and reads in bursts gets all of it in order, and is not closed for being slow', async () => {
  const socket = await comeBack();
  let mostQueued = 0;
  for (let pause = 0; pause < 10; pause++) {
    socket.socket.pause();
    for (let look = 0; look < 5; look++)
      mostQueued = Math.max(mostQueued, await metricOf(parley.url, 'parley_socket_queue_bytes'));
    socket.socket.resume();
    await socket.ask({ type: 'ping' });
  }
  await socket.until(({ type }) => type === 'resumed');
  const seqs = Array.from({ length: missed }, (_, at) => at + 2);
  for (const id of ids) expect(socket.events(id).map(({ seq }) => seq)).toEqual(seqs);
  expect(mostQueued).toBeLessThan(1_000_000);
  await socket.close();
});

test('a client that stops reading during its replay does not delay the welcome of others', async () => {
  const stalled = await Promise.all(Array.from({ length: 4 }, comeBack));
  for (const { socket } of stalled) socket.pause();
  const ben = await signUp(parley.url);
  const { welcome } = await connect(parley.url, ben);
  expect(welcome.type).toBe('welcome');
  for (const { socket } of stalled) socket.terminate();
});

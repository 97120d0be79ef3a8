/** Connections to Postgres that are cut while a send waits for its verdict. */
import { randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdTable } from '../harness/held-row.ts';
import { type Fleet, startFleet } from '../harness/stack.ts';
import { callApi, connect, createRoom, type Frame, signUp } from '../harness/test-client.ts';

let fleet: Fleet;
let sql: postgres.Sql;

beforeAll(async () => {
  fleet = await startFleet({
    chats: 2,
    processings: 1,
    // Long enough for a test to act while a verdict is outstanding.
    settings: { PARLEY_MODERATION_TIMEOUT: '20s', PARLEY_MODERATION_FALLBACK: 'refuse' },
  });
  sql = postgres(fleet.database.url, { max: 1, onnotice: () => {} });
});
afterAll(async () => {
  await sql.end();
  await fleet.end();
});

/** Cuts the connections that wait to read a sender's profile. @returns how many there were */
async function cutProfileReads(): Promise<number> {
  const cut = await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query like '%avatar_url from users%'`;
  return cut.length;
}

/** Members of a room that both instances follow. The second instance has not read the sender's profile yet. */
async function startRoom() {
  const [there, here] = [fleet.chats[0]!.url, fleet.chats[1]!.url];
  const [ana, ben] = await Promise.all([signUp(there), signUp(there)]);
  const roomId = await createRoom([ana, ben]);
  const reader = await connect(here, ben);
  return { ana, here, roomId, reader };
}

/** Delays verdicts and reads of profiles while `work` runs. */
async function whileJudging(work: () => Promise<void>): Promise<void> {
  const [processing] = fleet.processings;
  processing!.signal('SIGSTOP');
  const users = await holdTable(fleet.database, 'users');
  try {
    await work();
  } finally {
    processing!.signal('SIGCONT');
    await users.release();
  }
}

test('a REST send whose profile read is cut during judgement is answered, and the instance goes on', async () => {
  const { ana, here, roomId, reader } = await startRoom();
  const body = { clientId: randomUUID(), text: 'sent while the database was cut' };
  const send = () => ana.at(here).call('POST', `/v1/rooms/${roomId}/messages`, body);
  let first: ReturnType<typeof send> | undefined;
  await whileJudging(async () => {
    first = send();
    await expect.poll(cutProfileReads).toBe(1);
  });
  const refused = await first!;
  expect([refused.status, refused.body.code]).toEqual([503, expect.stringMatching(/^(unavailable|outcome_unknown)$/)]);
  expect((await callApi(here, 'GET', '/health/live')).status).toBe(200);
  expect((await send()).status).toBe(201);
  await reader.until(({ type }) => type === 'message.created');
  expect(reader.texts(roomId)).toEqual([body.text]);
  await reader.close();
});

test('a WebSocket send whose profile read is cut during judgement is answered, and its connection stays', async () => {
  const { ana, here, roomId, reader } = await startRoom();
  const socket = await connect(here, ana);
  const answers: Promise<Frame>[] = [];
  await whileJudging(async () => {
    // The welcome cached the sender's profile for a moment. Send until a message has to read it again.
    await expect
      .poll(
        () => {
          answers.push(socket.say(roomId, `message ${answers.length}`));
          return cutProfileReads();
        },
        { interval: 200 },
      )
      .toBeGreaterThan(0);
  });
  const kinds = (await Promise.all(answers)).map(({ type, code }) => code ?? type);
  expect(kinds.filter((kind) => kind !== 'ack')).toEqual(
    expect.arrayContaining([expect.stringMatching(/^(unavailable|outcome_unknown)$/)]),
  );
  expect(await socket.say(roomId, 'afterwards')).toMatchObject({ type: 'ack' });
  await reader.until((frame) => frame.type === 'message.created' && JSON.stringify(frame.data).includes('afterwards'));
  await Promise.all([socket.close(), reader.close()]);
});

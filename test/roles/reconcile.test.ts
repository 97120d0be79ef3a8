/** `admin reconcile`, and the check of a few users in a processing instance. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { metricOf } from '../harness/metric.ts';
import { nodeEnvironment } from '../harness/node-environment.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

// The command runs as a separate process, several times.
vi.setConfig({ testTimeout: 120_000 });

const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const run = promisify(execFile);
let parley: Single;
let sql: postgres.Sql;

beforeAll(async () => {
  parley = await startSingle({ PARLEY_JOBS_UNREAD_CHECK: '100ms' });
  sql = postgres(parley.database.url, { max: 2, onnotice: () => {} });
});
afterAll(async () => {
  await sql.end();
  await parley.end();
});

/** The command as an operator runs it. */
async function reconcile(): Promise<{ code: number; output: string }> {
  const env = { ...nodeEnvironment, DATABASE_URL: parley.database.url };
  try {
    const { stdout } = await run(process.execPath, [entry, 'admin', 'reconcile'], { env });
    return { code: 0, output: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

/** Everything that counts: rooms, threads, mentions by name and of everybody, blocks, deletions, leaving, marks both ways. */
async function live(): Promise<TestUser[]> {
  const people = await Promise.all(Array.from({ length: 4 }, () => signUp(parley.url)));
  const [ana, ben, eve, joe] = people as [TestUser, TestUser, TestUser, TestUser];
  const roomId = await createRoom([ana, ben, eve], { visibility: 'public' });
  await mustCall(eve, 'PUT', `/v1/users/me/blocks/${ana.id}`);
  const messages = `/v1/rooms/${roomId}/messages`;
  const say = async (person: TestUser, text: string, more: object = {}) =>
    (await mustCall(person, 'POST', messages, { clientId: randomUUID(), text, ...more })) as {
      id: string;
      seq: number;
    };
  const root = await say(ana, `look, @${ben.username}`);
  await say(ana, 'for everybody: @room');
  await say(ben, 'in the thread', { threadId: root.id });
  await say(eve, `in the thread and the room, @${ana.username}`, { threadId: root.id, alsoInRoom: true });
  const gone = await say(ben, `soon gone, @${ana.username}`);
  // A thread without any message left is in no list.
  const lonely = await say(ana, 'nobody answers');
  const answer = await say(ben, 'yes', { threadId: lonely.id });
  await mustCall(ben, 'DELETE', `${messages}/${answer.id}`);
  await mustCall(joe, 'PUT', `/v1/rooms/${roomId}/members/me`, {});
  const last = await say(ben, `welcome, @${joe.username}`);
  await mustCall(ben, 'DELETE', `${messages}/${gone.id}`);
  await mustCall(ana, 'PUT', `/v1/rooms/${roomId}/read`, { seq: last.seq });
  await mustCall(ana, 'PUT', `/v1/rooms/${roomId}/unread`, { seq: root.seq + 2 });
  await mustCall(joe, 'DELETE', `/v1/rooms/${roomId}/members/me`);
  await mustCall(joe, 'PUT', `/v1/rooms/${roomId}/members/me`, {});
  const dm = (await mustCall(ben, 'POST', '/v1/dms', { userIds: [joe.id] })).id as string;
  await mustCall(ben, 'POST', `/v1/rooms/${dm}/messages`, { clientId: 'dm', text: 'hello' });
  return people;
}

test('the counts of every list agree with a plain recount', async () => {
  const people = await live();
  const mine = (await mustCall(people[0]!, 'GET', '/v1/rooms')).items!;
  expect(mine.some(({ unread, mentions }) => (unread as number) > 0 && (mentions as number) > 0)).toBe(true);
  const { code, output } = await reconcile();
  process.stdout.write(`reconcile: ${output.trim().replaceAll('\n', '; ')}\n`);
  expect(output).toMatch(
    /^welcome: \d+ counts, drift 0\nroom list: \d+ counts, drift 0\nread: \d+ counts, drift 0\nthreads: [1-9]\d* counts, drift 0\ndrift 0\n$/,
  );
  expect(code).toBe(0);
});

test('a difference is printed with its place, and the exit code is 1', async () => {
  const [ana, ben] = (await live()) as [TestUser, TestUser];
  const roomId = await createRoom([ana, ben]);
  await mustCall(ben, 'POST', `/v1/rooms/${roomId}/messages`, { clientId: 'x', text: 'hello' });
  // A message that a room list leaves out: its author's id is missing. No request can make such a row.
  await sql`update events set actor_id = null where room_id = ${roomId} and type = 'message.created'`;
  const { code, output } = await reconcile();
  expect(output).toContain(
    `room list: user ${ana.id}, room ${roomId}: shows 0 unread and 0 mentions, counted 1 unread and 0 mentions\n`,
  );
  expect(output).toMatch(/\ndrift \d+\n$/);
  expect(output).not.toMatch(/\ndrift 0\n$/);
  expect(code).toBe(1);
  // The check of a processing instance comes across it too.
  await expect
    .poll(() => metricOf(parley.url, 'parley_unread_drift_total', { kind: 'room list' }), { timeout: 60_000 })
    .toBeGreaterThan(0);
  await sql`update events set actor_id = ${ben.id} where room_id = ${roomId} and type = 'message.created'`;
  expect((await reconcile()).code).toBe(0);
});

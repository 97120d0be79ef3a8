/** Previews with several instances: workers that are killed, and jobs that run more than once. */
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startParley } from '../harness/parley-process.ts';
import { type Fleet, startFleet } from '../harness/stack.ts';
import {
  connect,
  createRoom,
  type Frame,
  mustCall,
  signUp,
  type TestSocket,
  type TestUser,
} from '../harness/test-client.ts';
import { type LocalSite, sends, startLocalSite } from '../outbound/local-site.ts';

const settings = {
  PARLEY_PREVIEWS_ENABLED: 'true',
  PARLEY_OUTBOUND_ALLOW: '127.0.0.1',
  PARLEY_OUTBOUND_TIMEOUT: '60s',
  PARLEY_JOBS_POLL_INTERVAL: '100ms',
  PARLEY_JOBS_HEARTBEAT: '200ms',
  PARLEY_JOBS_DEAD_AFTER: '2s',
};

let fleet: Fleet;
let site: LocalSite;
let sql: postgres.Sql;
let ana: TestUser;
let ben: TestUser;
let roomId: string;
let socket: TestSocket;

beforeAll(async () => {
  site = await startLocalSite();
  fleet = await startFleet({ chats: 2, processings: 1, settings });
  sql = postgres(fleet.database.url, { max: 1 });
  [ana, ben] = [await signUp(fleet.chats[0]!.url), await signUp(fleet.chats[1]!.url)];
  roomId = await createRoom([ana, ben]);
  socket = await connect(fleet.chats[1]!.url, ben);
});
afterAll(async () => {
  await socket.close();
  await sql.end();
  await Promise.all([fleet.end(), site.stop()]);
});

const page = (title: string) => sends(`<title>${title}</title>`);
const messageOf = ({ data }: Frame) => (data as { message: { id: string; previews?: { title: string }[] } }).message;
const updatesOf = (id: string) =>
  socket.events(roomId).filter((each) => each.type === 'message.updated' && messageOf(each).id === id);
const untilShown = (id: string, title: string) =>
  socket.until(
    (each) =>
      each.type === 'message.updated' && messageOf(each).id === id && messageOf(each).previews?.[0]?.title === title,
  );

async function send(text: string): Promise<string> {
  const clientId = crypto.randomUUID();
  return (await mustCall(ana, 'POST', `/v1/rooms/${roomId}/messages`, { clientId, text })).id as string;
}

/** A page that answers when it is told to. */
function hold(path: string, title: string): () => void {
  let release = () => {};
  site.answer(path, (request, response) => {
    release = () => page(title)(request, response as never);
  });
  return () => release();
}

const requestsTo = (url: string) => site.requests.filter((request) => request.url === url).length;

test('a preview job that runs many times at once, on several instances, changes the message once', async () => {
  site.answer('/once', page('Once'));
  const id = await send(`${site.url}/once`);
  await untilShown(id, 'Once');
  for (const task of ['link_previews', 'show_previews'])
    await sql`select graphile_worker.add_job(${task}, json_build_object('roomId', ${roomId}::text, 'messageId', ${id}::text)) from generate_series(1, 20)`;
  await expect
    .poll(async () => (await sql`select from graphile_worker.jobs where task_identifier like '%previews'`).length)
    .toBe(0);
  expect(updatesOf(id)).toHaveLength(1);
  expect(requestsTo('/once')).toBe(1);
});

test('when the instance that fetches a page is killed, another one fetches it', async () => {
  const release = hold('/held', 'Held');
  const id = await send(`${site.url}/held`);
  await expect.poll(() => requestsTo('/held')).toBe(1);
  const [first] = fleet.processings;
  await first!.kill();
  const processingPort = Number(new URL(first!.processingUrl).port);
  const common = { DATABASE_URL: fleet.database.url, ...settings };
  fleet.processings.push(await startParley({ role: 'processing', settings: common, processingPort }));
  await expect.poll(() => requestsTo('/held')).toBe(2);
  release();
  await untilShown(id, 'Held');
  expect(updatesOf(id)).toHaveLength(1);
});

test('when the instance that took the message is killed, another one shows its previews', async () => {
  const release = hold('/survives', 'Survives');
  const id = await send(`${site.url}/survives`);
  await expect.poll(() => requestsTo('/survives')).toBe(1);
  await fleet.chats[0]!.kill();
  release();
  await untilShown(id, 'Survives');
  expect(updatesOf(id)).toHaveLength(1);
});

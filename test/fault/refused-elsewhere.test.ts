/** A send with an unknown outcome whose retry was definitely refused by another instance: it is never stored. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTcpProxy, type TcpProxy } from '../chaos/tcp-proxy.ts';
import { type ParleyProcess, startParley } from '../harness/parley-process.ts';
import { pauseProcess } from '../harness/stopped-process.ts';
import { connect, createRoom, mustCall, signUp, type TestSocket } from '../harness/test-client.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

const admissionMs = 100;
let database: TestDatabase;
let proxy: TcpProxy;
let cut: ParleyProcess;
let well: ParleyProcess;
/** Behind the proxy like `cut`, with long deadlines. */
let patient: ParleyProcess;

beforeAll(async () => {
  database = await createDatabase();
  const url = new URL(database.url);
  const port = Number(url.port);
  proxy = await startTcpProxy(() => [port]);
  url.port = String(proxy.port);
  const settings = {
    PARLEY_REALTIME_HEAD_CHECK: '500ms',
    PARLEY_DATABASE_STATEMENT_TIMEOUT: '1s',
    PARLEY_REALTIME_CUT_OFF_AFTER: '60s',
    PARLEY_MESSAGE_ADMISSION: `${admissionMs}ms`,
  };
  [cut, well, patient] = (await Promise.all(
    [
      { DATABASE_URL: url.href, ...settings },
      { DATABASE_URL: database.url, ...settings },
      { DATABASE_URL: url.href, ...settings, PARLEY_MESSAGE_ADMISSION: '60s' },
    ].map((each) => startParley({ role: 'chat', settings: each })),
  )) as [ParleyProcess, ParleyProcess, ParleyProcess];
});
afterAll(async () => {
  await Promise.all([cut.stop(), well.stop(), patient.stop()]);
  await proxy.stop();
  await database.drop();
});

/** A busy machine may take longer than `admissionMs` for the first try. */
async function mustSay(socket: TestSocket, room: string, text: string): Promise<void> {
  await expect.poll(async () => (await socket.say(room, text, text)).type).toBe('ack');
}

test.each(['mute', 'removal'] as const)(
  'a %s that began and ended while a send waited behind a fault',
  async (kind) => {
    const [ana, ben] = await Promise.all([signUp(well.url), signUp(well.url)]);
    const room = await createRoom([ana, ben]);
    const socket = await connect(cut.url, ben);
    await mustSay(socket, room, 'before');
    const member = `/v1/rooms/${room}/members/${ben.id}`;

    // Its statement is lost in the network, and retried for as long as a send may wait.
    const batches = async () =>
      Number(/^parley_commit_batch_size_count (\d+)/m.exec(await (await fetch(`${cut.url}/metrics`)).text())![1]);
    const before = await batches();
    proxy.become('swallow up');
    const waiting = socket.say(room, 'late', 'late');
    await expect.poll(batches).toBeGreaterThan(before);
    if (kind === 'mute') await mustCall(ana, 'PUT', `${member}/mute`, { seconds: 600 });
    else await mustCall(ana, 'DELETE', member);
    const refused = await ben.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'late', text: 'late' });
    expect(refused.body.code).toBe(kind === 'mute' ? 'muted' : 'not_found');
    if (kind === 'mute') await mustCall(ana, 'DELETE', `${member}/mute`);
    else await mustCall(ana, 'PUT', member);
    proxy.become('pass');

    expect(['outcome_unknown', 'unavailable']).toContain((await waiting).code);
    // The instance writes again, and its next bytes follow directly.
    const again = await connect(cut.url, ben);
    await mustSay(again, room, 'after');
    const { body } = await ana.call('GET', `/v1/rooms/${room}/messages`);
    expect((body.messages as { text: string }[]).map(({ text }) => text)).toEqual(['before', 'after']);
  },
);

test('a mute that began and ended during a process pause, with the send in the socket buffers', async () => {
  const [ana, ben] = await Promise.all([signUp(well.url), signUp(well.url)]);
  const room = await createRoom([ana, ben]);
  const path = `/v1/rooms/${room}/messages`;
  const member = `/v1/rooms/${room}/members/${ben.id}`;
  const socket = await connect(cut.url, ben);
  await mustSay(socket, room, 'before');

  // Long enough to be noticed (realtime.frozen).
  const standstill = pauseProcess(cut, 2000);
  const lost = socket.say(room, 'over a socket', 'socket').catch((error: Error) => error.message);
  const request = fetch(`${cut.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ben.accessToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ clientId: 'request', text: 'over a request' }),
    signal: AbortSignal.timeout(500),
  }).catch((error: Error) => error.name);
  expect(await request).toBe('TimeoutError');
  socket.socket.terminate();
  expect(await lost).toBe('the socket was closed');
  await mustCall(ana, 'PUT', `${member}/mute`, { seconds: 600 });
  for (const clientId of ['socket', 'request']) {
    const text = `over a ${clientId}`;
    expect(await ben.call('POST', path, { clientId, text })).toMatchObject({ body: { code: 'muted' } });
  }
  await mustCall(ana, 'DELETE', `${member}/mute`);
  await standstill.end();

  const again = await connect(cut.url, ben);
  await mustSay(again, room, 'after');
  const { body } = await ana.call('GET', path);
  expect((body.messages as { text: string }[]).map(({ text }) => text)).toEqual(['before', 'after']);
});

test('a refusal while the room’s head was being read for the same send elsewhere', async () => {
  const [ana, ben] = await Promise.all([signUp(well.url), signUp(well.url)]);
  const room = await createRoom([ana], { name: `Square of ${ana.username}`, visibility: 'public' });
  const path = `/v1/rooms/${room}/messages`;
  const membership = `/v1/rooms/${room}/members/me`;
  const [watcher, socket] = [await connect(cut.url, ana), await connect(cut.url, ben)];
  expect(await socket.say(room, 'from outside', 'outside')).toMatchObject({ code: 'forbidden' });

  // The sender is not a member in this feed, so the instance reads the head. During that read another instance refuses the retry, and the
  // sender joins.
  proxy.become('hold');
  const waiting = socket.say(room, 'late', 'late');
  const admissionOver = sleep(2 * admissionMs);
  const body = { clientId: 'late', text: 'late' };
  expect(await ben.call('POST', path, body)).toMatchObject({ body: { code: 'forbidden' } });
  await mustCall(ben, 'PUT', membership, {});
  await admissionOver;
  proxy.become('pass');
  expect(await waiting).toMatchObject({ type: 'error', code: 'unavailable', retryAfterMs: expect.any(Number) });
  await mustSay(socket, room, 'at once');
  await watcher.until((frame) => frame.type === 'message.created');
  const { messages } = await mustCall(ana, 'GET', path);
  expect((messages as { text: string }[]).map(({ text }) => text)).toEqual(['at once']);
});

test.each(['socket', 'request'] as const)('a refusal elsewhere after the %s of the first try was cut', async (way) => {
  const [ana, ben] = await Promise.all([signUp(well.url), signUp(well.url)]);
  const room = await createRoom([ana], { name: `Corner of ${ana.username}`, visibility: 'public' });
  const path = `/v1/rooms/${room}/messages`;
  const body = { clientId: 'late', text: 'late' };
  const [watcher, socket] = [await connect(patient.url, ana), await connect(patient.url, ben)];
  expect(await socket.say(room, 'from outside', 'outside')).toMatchObject({ code: 'forbidden' });

  proxy.become('hold');
  if (way === 'socket') {
    socket.socket.send(JSON.stringify({ type: 'message.send', id: 'late', roomId: room, ...body }));
    // It is under way when the next answer has arrived.
    await socket.ask({ type: 'ping', id: 'heard' });
    socket.socket.terminate();
  } else {
    const cutShort = new AbortController();
    const headers = { authorization: `Bearer ${ben.accessToken}`, 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify(body), signal: cutShort.signal };
    const request = fetch(`${patient.url}${path}`, init).catch((error: Error) => error.name);
    // It has arrived when a later request that needs no database is answered.
    for (let times = 0; times < 3; times++) await fetch(`${patient.url}/health/live`);
    cutShort.abort();
    expect(await request).toBe('AbortError');
  }
  expect(await ben.call('POST', path, body)).toMatchObject({ body: { code: 'forbidden' } });
  await mustCall(ben, 'PUT', `/v1/rooms/${room}/members/me`, {});
  proxy.become('pass');

  const again = await connect(patient.url, ben);
  await mustSay(again, room, 'after');
  await watcher.until((frame) => frame.type === 'message.created');
  const { messages } = await mustCall(ana, 'GET', path);
  expect((messages as { text: string }[]).map(({ text }) => text)).toEqual(['after']);
});

/** Postgres comes back as a standby: it answers, reads, and cannot write until it is promoted. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import postgres from 'postgres';
import { expect, onTestFinished, test } from 'vitest';
import { startParley } from '../harness/parley-process.ts';
import { startPostgresProcess } from '../harness/postgres-process.ts';
import { connect, createRoom, openSocket, signUp } from '../harness/test-client.ts';

test('while Postgres is a standby every request gets unavailable, and requests work again when the server is promoted', async () => {
  const server = await startPostgresProcess();
  const parley = await startParley({
    role: 'all',
    settings: { DATABASE_URL: server.url, PARLEY_MODERATION_TIMEOUT: '10s' },
  });
  onTestFinished(async () => {
    await parley.kill();
    await server.end();
  });
  const ana = await signUp(parley.url);
  const room = await createRoom([ana]);
  const before = await connect(parley.url, ana);
  await before.say(room, 'before');

  await server.stop();
  await writeFile(join(server.data, 'standby.signal'), '');
  await server.start();
  const admin = postgres(server.url, { max: 1, onnotice: () => {} });
  onTestFinished(() => admin.end());
  expect((await admin`select pg_is_in_recovery() as standby`)[0]).toEqual({ standby: true });
  // From now on the server refuses; the connection is there.
  const connections = () => admin`select 1 from pg_stat_activity where application_name = 'parley-guard'`;
  await expect.poll(async () => (await connections()).length).toBeGreaterThan(0);
  const seen: unknown[] = [];
  for (let n = 0; n < 5; n++) {
    const socket = await openSocket(parley.url);
    const hello = await socket.ask({ type: 'hello', token: ana.accessToken });
    socket.socket.terminate();
    const send = await before.say(room, 'refused', 'k');
    const created = await ana.call('POST', '/v1/rooms', { name: 'x', visibility: 'private' });
    seen.push(hello.code, send.code, created.body.code);
  }
  expect(new Set(seen)).toEqual(new Set(['unavailable']));

  await admin`select pg_promote()`;
  await expect.poll(async () => (await connect(parley.url, ana).catch(() => undefined))?.welcome.type).toBe('welcome');
});

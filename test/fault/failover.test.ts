/** A standby that lacks the last messages takes over: the log is another one, and all clients start over. */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import postgres from 'postgres';
import { expect, onTestFinished, test } from 'vitest';
import { startEmbeddedPostgres } from '../../src/database/embedded/embedded-postgres.ts';
import { startParley } from '../harness/parley-process.ts';
import { freePort } from '../harness/ports.ts';
import { connect, createRoom, signUp } from '../harness/test-client.ts';

test('after a failover with loss the log has another id, positions are reset, and no seq is left out or used for two events', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'parley-failover-'));
  const data = join(dir, 'postgres', 'data');
  const port = await freePort();
  const start = () => startEmbeddedPostgres({ dir, port, logger: pino({ level: 'silent' }) });
  let server = await start();
  const parley = await startParley({ role: 'all', settings: { DATABASE_URL: server.url } });
  onTestFinished(async () => {
    await parley.stop();
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  });
  const ana = await signUp(parley.url);
  const room = await createRoom([ana]);
  const before = await connect(parley.url, ana);
  await before.say(room, 'kept');
  // The standby's copy, as of now.
  await server.stop();
  await cp(data, `${data}.standby`, { recursive: true });
  server = await start();
  await expect.poll(async () => (await before.say(room, 'lost 1', 'lost 1')).type).toBe('ack');
  expect((await before.say(room, 'lost 2')).seq).toBe(4);

  await server.kill();
  await rm(data, { recursive: true });
  await cp(`${data}.standby`, data, { recursive: true });
  await writeFile(join(data, 'standby.signal'), '');
  server = await start();
  const admin = postgres(server.url, { max: 1, onnotice: () => {} });
  await admin`select pg_promote()`;
  await admin.end();

  expect((await before.closed).code).toBe(1012);
  const after = await connect(parley.url, ana, { logId: before.welcome.logId as string, rooms: { [room]: 4 } });
  await after.until((frame) => frame.type === 'resumed');
  expect(after.welcome.logId).not.toBe(before.welcome.logId);
  expect(after.frames.filter((frame) => frame.type === 'room.reset')).toMatchObject([{ roomId: room, seq: 2 }]);
  expect(await after.say(room, 'goes on')).toMatchObject({ type: 'ack', seq: 3 });
});

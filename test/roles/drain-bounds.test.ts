/** A drain that cannot end by itself: something is asked that is never answered. */
import { expect, test } from 'vitest';
import { holdLog, holdUser } from '../harness/held-row.ts';
import { startSingle } from '../harness/stack.ts';
import { connect, createRoom, signUp } from '../harness/test-client.ts';

test.each([
  ['a request that never ends', '2s', 1],
  ['the same when a second signal comes', '10m', 2],
])('%s does not keep the process: it ends while the request still waits', async (_, timeout, signals) => {
  const parley = await startSingle({
    PARLEY_DRAIN_TIMEOUT: timeout,
    PARLEY_DRAIN_WINDOW: '200ms',
    PARLEY_HTTP_HANDLER_TIMEOUT: '10m',
    PARLEY_DATABASE_STATEMENT_TIMEOUT: '10m',
  });
  const ana = await signUp(parley.url);
  const held = await holdUser(parley.database, ana.id);
  const stuck = ana.call('PATCH', '/v1/users/me', { displayName: 'Never' }).then(
    ({ status }) => status,
    () => 'cut off',
  );
  await held.waiting(1);
  parley.signal('SIGTERM');
  await expect.poll(() => parley.output()).toContain('draining');
  for (let n = 1; n < signals; n++) parley.signal('SIGTERM');
  await expect.poll(() => parley.exited()).toBe(true);
  expect([503, 'cut off']).toContain(await stuck);
  await held.release();
  await parley.database.drop();
});

test('a send that is in flight when its socket’s turn to go comes is answered before the socket is closed', async () => {
  const parley = await startSingle({ PARLEY_DRAIN_WINDOW: '200ms', PARLEY_DATABASE_LOCK_TIMEOUT: '4s' });
  const ana = await signUp(parley.url);
  const room = await createRoom([ana]);
  const [sender, idle] = [await connect(parley.url, ana), await connect(parley.url, ana)];
  const log = await holdLog(parley.database, { roomId: room, seq: 2, userId: ana.id });
  const answer = sender.say(room, 'last words');
  await log.waiting(1);
  parley.signal('SIGTERM');
  // Those who wait for nothing go at once.
  expect((await idle.closed).code).toBe(1012);
  await log.release();
  expect(await answer).toMatchObject({ type: 'ack', seq: 2 });
  expect((await sender.closed).code).toBe(1012);
  expect(await parley.stop()).toBe(0);
  await parley.database.drop();
});

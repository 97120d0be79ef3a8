/** A drain that cannot end by itself: something is asked that is never answered. */
import { expect, test } from 'vitest';
import { holdUser } from '../harness/held-row.ts';
import { startSingle } from '../harness/stack.ts';
import { signUp } from '../harness/test-client.ts';

test.each([
  ['a request that never ends', '2s', 1, 5000],
  ['the same when a second signal comes', '25s', 2, 5000],
])('%s does not keep the process: it is gone in time', async (_, timeout, signals, withinMs) => {
  const parley = await startSingle({
    PARLEY_DRAIN_TIMEOUT: timeout,
    PARLEY_DRAIN_WINDOW: '200ms',
    PARLEY_HTTP_HANDLER_TIMEOUT: '30s',
    PARLEY_DATABASE_STATEMENT_TIMEOUT: '30s',
  });
  const ana = await signUp(parley.url);
  const held = await holdUser(parley.database, ana.id);
  const stuck = ana.call('PATCH', '/v1/users/me', { displayName: 'Never' }).then(
    ({ status }) => status,
    () => 'cut off',
  );
  await held.waiting(1);
  const startedMs = performance.now();
  parley.signal('SIGTERM');
  await expect.poll(() => parley.output()).toContain('draining');
  for (let n = 1; n < signals; n++) parley.signal('SIGTERM');
  await expect.poll(() => parley.exited(), { timeout: 30_000 }).toBe(true);
  expect(performance.now() - startedMs).toBeLessThan(withinMs);
  expect([503, 'cut off']).toContain(await stuck);
  await held.release();
  await parley.database.drop();
});

/** Requests whose callers gave up while this process stood still change nothing: see freeze-watch.ts. */
import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../errors.ts';
import type { App } from '../http/app.ts';
import type { FreezeWatch } from './freeze-watch.ts';

const changesNothing = new Set(['GET', 'HEAD', 'OPTIONS']);

export function refuseAbandonedRequests(app: App, freeze: FreezeWatch): void {
  app.addHook('preHandler', async ({ raw }) => {
    if (changesNothing.has(raw.method!) || !freeze.isJustAwake()) return;
    await pause(freeze.graceMs);
    if (raw.socket.destroyed || !raw.socket.writable)
      throw new Failure('unavailable', 'nobody waits for this any more', { retryAfterMs: 1000 });
  });
}

/** Requests whose callers gave up while this process stood still change nothing: see freeze-watch.ts. */
import { Failure } from '../errors.ts';
import type { App } from '../http/app.ts';
import type { FreezeWatch } from './freeze-watch.ts';

const changesNothing = new Set(['GET', 'HEAD', 'OPTIONS']);

export function refuseAbandonedRequests(app: App, freeze: FreezeWatch): void {
  app.addHook('preHandler', ({ raw }, _reply, done) => {
    if (changesNothing.has(raw.method!) || !freeze.isJustAwake()) {
      done();
      return;
    }
    setTimeout(() => {
      const isGone = raw.socket.destroyed || !raw.socket.writable;
      done(isGone ? new Failure('unavailable', 'nobody waits for this any more', { retryAfterMs: 1000 }) : undefined);
    }, freeze.graceMs);
  });
}

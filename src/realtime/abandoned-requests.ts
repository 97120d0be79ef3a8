/** Requests whose callers gave up while this process stood still change nothing: see freeze-watch.ts. */
import { nobodyWaits } from '../errors.ts';
import type { App } from '../http/app.ts';
import { isCallerThere } from '../http/caller.ts';
import type { FreezeWatch } from './freeze-watch.ts';

const changesNothing = new Set(['GET', 'HEAD', 'OPTIONS']);

export function refuseAbandonedRequests(app: App, freeze: FreezeWatch): void {
  app.addHook('preHandler', (request, _reply, done) => {
    if (changesNothing.has(request.method) || !freeze.isJustAwake()) {
      done();
      return;
    }
    setTimeout(() => done(isCallerThere(request) ? undefined : nobodyWaits()), freeze.graceMs);
  });
}

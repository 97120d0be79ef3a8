/** Requests whose callers gave up while this process stood still change nothing: see process-pause.ts. */
import { clientGone } from '../../errors.ts';
import { isCallerThere } from '../../http/caller/caller.ts';
import type { App } from '../../http/server/app.ts';
import type { ProcessPauseWatch } from './process-pause.ts';

const changesNothing = new Set(['GET', 'HEAD', 'OPTIONS']);

export function refuseAbandonedRequests(app: App, freeze: ProcessPauseWatch): void {
  app.addHook('preHandler', (request, _reply, done) => {
    if (changesNothing.has(request.method) || !freeze.isJustAwake()) {
      done();
      return;
    }
    setTimeout(() => done(isCallerThere(request) ? undefined : clientGone()), freeze.graceMs);
  });
}

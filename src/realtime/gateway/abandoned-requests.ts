/** Drops requests that change something if their client disconnected during a process pause. See docs/internals/process-pauses.md. */
import { clientGone } from '../../errors.ts';
import { isCallerThere } from '../../http/caller/caller.ts';
import type { App } from '../../http/server/app-type.ts';
import type { WakeGrace } from './process-pause.ts';

const changesNothing = new Set(['GET', 'HEAD', 'OPTIONS']);

export function refuseAbandonedRequests(app: App, wakeGrace: WakeGrace): void {
  app.addHook('preHandler', (request, _reply, done) => {
    if (changesNothing.has(request.method) || !wakeGrace.isJustAwake()) {
      done();
      return;
    }
    setTimeout(() => done(isCallerThere(request) ? undefined : clientGone()), wakeGrace.graceMs);
  });
}

/** `/health/live`: the process runs. `/health/ready`: it can serve requests, with the state of each dependency. */
import type { App } from './server/app-type.ts';

export interface Readiness {
  readonly ready: boolean;
  readonly dependencies: Readonly<Record<string, string>>;
}

export function addHealthRoutes(
  app: App,
  { readiness, isDraining }: { readiness: () => Promise<Readiness>; isDraining: () => boolean },
): void {
  const options = { config: { rateLimit: false }, schema: { hide: true } };

  app.get('/health/live', options, async () => ({ status: 'live' }));

  app.get('/health/ready', options, async (_request, reply) => {
    const { ready, dependencies } = await readiness();
    const status = isDraining() ? 'draining' : ready ? 'ready' : 'unready';
    return reply
      .code(status === 'ready' ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ status, dependencies });
  });
}

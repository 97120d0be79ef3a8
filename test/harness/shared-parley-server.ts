/** Starts the Parley that test files share (shared-parley.ts) for the first that asks, over HTTP: they are other processes. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cloneDatabase, type TestDatabase } from './cloned-database.ts';
import { type ParleyProcess, patientModeration, startParley, wideLimits } from './parley-process.ts';
import { freePort } from './ports.ts';

interface Started {
  readonly parley: ParleyProcess;
  readonly database: TestDatabase;
}

/** @returns the address that answers `{ url, database: { url } }`, and the end of all of it */
export async function serveSharedParley(
  postgresUrl: string,
  template: string,
): Promise<{ url: string; stop: () => Promise<void> }> {
  let started: Promise<Started> | undefined;

  async function start(): Promise<Started> {
    const database = await cloneDatabase(postgresUrl, template);
    const port = await freePort();
    const settings = {
      ...wideLimits,
      ...patientModeration,
      DATABASE_URL: database.url,
      PUBLIC_URL: `http://127.0.0.1:${port}`,
    };
    return { database, parley: await startParley({ role: 'all', httpPort: port, settings }) };
  }

  const server = createServer((_request, response) => {
    started ??= start();
    started.then(
      ({ parley, database }) => response.end(JSON.stringify({ url: parley.url, database: { url: database.url } })),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.close();
      const running = await started?.catch(() => undefined);
      await running?.parley.stop();
      await running?.database.drop();
    },
  };
}

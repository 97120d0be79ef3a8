/** What test files share beside Postgres and Redis, started for the first that asks, over HTTP: they are other processes. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import { cloneDatabase } from './cloned-database.ts';
import { audience, type HostApplication, macHost } from './host-applications.ts';
import { createLender, type FleetKind, type Lender, type PartName } from './lent-fleets.ts';
import { patientModeration, startParley, wideLimits } from './parley-process.ts';
import { freePort } from './ports.ts';

/** What a file is told of the shared Parley, as JSON. */
export interface KnownParley {
  readonly url: string;
  readonly database: { readonly url: string };
  readonly oidc: { readonly issuer: string };
  readonly host: HostApplication;
}

interface SharedParley {
  readonly known: KnownParley;
  readonly stop: () => Promise<void>;
}

/** @returns the address that answers, and the end of all that was started */
export async function serveSharedServers(
  postgresUrl: string,
  template: string,
): Promise<{ url: string; stop: () => Promise<void> }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const { host, keys } = await createHost(`${url}/keys.json`);
  const lender = createLender(postgresUrl, template, host);
  let shared: Promise<SharedParley> | undefined;

  async function answer({ method, url: path }: IncomingMessage): Promise<object | undefined> {
    if (path === '/keys.json') return keys;
    if (path !== '/parley') return lend(lender, method!, path!.split('/').slice(2));
    shared ??= startShared(postgresUrl, template, host);
    return (await shared).known;
  }

  const server = createServer((request, response) => {
    answer(request).then(
      (body) =>
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(body === undefined ? '' : JSON.stringify(body)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      const running = await shared?.catch(() => undefined);
      await Promise.all([lender.stop(), running?.stop()]);
      server.close();
      server.closeAllConnections();
    },
  };
}

/** `POST /fleets/<kind>` borrows, `DELETE /fleets/<id>` gives back, `POST /fleets/<id>/<part>/kill` and `…/start` do that. */
async function lend(lender: Lender, method: string, path: readonly string[]): Promise<object | undefined> {
  const [what, part, act] = path as [string, PartName | undefined, 'kill' | 'start'];
  if (part !== undefined) await lender.part(Number(what), part)[act]();
  else if (method === 'DELETE') lender.giveBack(Number(what));
  else return lender.borrow(what as FleetKind);
  return undefined;
}

/** One Parley with wide limits, a login provider and host applications. The bounds are those of the one file about each. */
async function startShared(postgresUrl: string, template: string, host: HostApplication): Promise<SharedParley> {
  const { clientSecret, startOidcIssuer } = await import('../auth/oidc-issuer.ts');
  const [database, httpPort] = await Promise.all([cloneDatabase(postgresUrl, template), freePort()]);
  const publicUrl = `http://127.0.0.1:${httpPort}`;
  const oidc = await startOidcIssuer([`${publicUrl}/v1/auth/oauth/acme/callback`]);
  const acme = { kind: 'oidc', issuer: oidc.issuer, clientId: 'parley', clientSecret };
  const issuers = [
    { issuer: host.issuer, audience, jwksUrl: host.jwksUrl, algorithms: ['ES256'] },
    { ...macHost, audience },
    { issuer: oidc.issuer, audience, secret: macHost.secret, claims: { roles: 'roles' } },
  ];
  const settings = {
    ...wideLimits,
    ...patientModeration,
    DATABASE_URL: database.url,
    PUBLIC_URL: publicUrl,
    PARLEY_AUTH_PROVIDERS: JSON.stringify({ acme }),
    PARLEY_AUTH_ISSUERS: JSON.stringify(issuers),
    PARLEY_AUTH_SEALING_KEY: 'a key of tests that is long enough',
    PARLEY_LIMITS_REQUESTS_PER_MINUTE: '100000',
    PARLEY_LIMITS_CODES_PER_ACCOUNT: '5',
    PARLEY_LIMITS_EXPORTS_PER_HOUR: '3',
    PARLEY_LIMITS_BLOCKS_PER_USER: '2',
    PARLEY_ROOM_INVITES_MAX: '3',
    PARLEY_EMOJIS_MAX: '6',
    PARLEY_EMOJIS_IMAGE_BYTES: '64kB',
  };
  const parley = await startParley({ role: 'all', httpPort, settings });
  return {
    known: { url: parley.url, database: { url: database.url }, oidc: { issuer: oidc.issuer }, host },
    stop: async () => {
      await Promise.all([parley.stop(), oidc.stop()]);
      await database.drop();
    },
  };
}

async function createHost(jwksUrl: string): Promise<{ host: HostApplication; keys: object }> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const named = { kid: 'the-key', alg: 'ES256' };
  const [own, open] = await Promise.all([exportJWK(privateKey), exportJWK(publicKey)]);
  return {
    host: { issuer: 'https://host.example', jwksUrl, privateKey: { ...own, ...named } },
    keys: { keys: [{ ...open, ...named, use: 'sig' }] },
  };
}

/** Requests over TLS. The certificate is one that only a process of its own trusts. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OutboundRequest } from '../../src/outbound/outbound-client.ts';
import { nodeEnvironment } from '../harness/node-environment.ts';
import { type LocalSite, sends, startLocalSite } from './local-site.ts';

const run = promisify(execFile);
const clientFile = fileURLToPath(new URL('../../src/outbound/outbound-client.ts', import.meta.url));
let dir: string;
let server: Server;
let plain: LocalSite;
let port: number;
/** Names that clients have asked for in the handshake. */
const names: unknown[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'parley-tls-'));
  plain = await startLocalSite();
  plain.answer('/', sends('plain'));
  const files = ['-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.pem')];
  const subject = ['-subj', '/CN=secure.example', '-addext', 'subjectAltName=DNS:secure.example'];
  await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...files, ...subject]);
  const [key, cert] = await Promise.all([readFile(join(dir, 'key.pem')), readFile(join(dir, 'cert.pem'))]);
  server = createServer({ key, cert }, (request, response) => {
    if (request.url === '/down') response.writeHead(302, { location: `http://secure.example:${plain.port}/` }).end();
    else response.end('secure');
  });
  server.on('secureConnection', (socket) => names.push(socket.servername));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  ({ port } = server.address() as AddressInfo);
});
afterAll(async () => {
  server.closeAllConnections();
  await Promise.all([new Promise((closed) => server.close(closed)), plain.stop()]);
  await rm(dir, { recursive: true });
});

/** Loads a page in a process that trusts the certificate. @returns its text, or the code of what prevented it */
async function load(request: OutboundRequest): Promise<string> {
  const script = `
    import { createOutboundClient } from ${JSON.stringify(clientFile)};
    const client = createOutboundClient({
      allow: ['secure.example', 'other.example'], timeoutMs: 20000, bytesMax: 1000, redirectsMax: 3, resolve: async () => ['127.0.0.1'],
    });
    const outcome = await client.request(${JSON.stringify(request)}, async ({ body }) => (await Array.fromAsync(body)).join(''));
    process.stdout.write(outcome.ok ? outcome.value : outcome.code);`;
  const env = { ...nodeEnvironment, NODE_EXTRA_CA_CERTS: join(dir, 'cert.pem') };
  return (await run(process.execPath, ['--input-type=module', '-e', script], { env })).stdout;
}

test('a certificate must be trusted, and of the host in the URL', async () => {
  expect(await load({ url: `https://secure.example:${port}/` })).toBe('secure');
  expect(names).toEqual(['secure.example']);
  expect(await load({ url: `https://other.example:${port}/` })).toBe('unreachable');
});

test('a redirect from https to http is followed without headers of the caller only', async () => {
  const url = `https://secure.example:${port}/down`;
  expect(await load({ url })).toBe('plain');
  expect(await load({ url, headers: { authorization: 'Bearer secret' } })).toBe('downgrade');
  expect(plain.requests).toHaveLength(1);
});

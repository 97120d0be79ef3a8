/** Attacks on the client for URLs that users give. Every server is real; only the answers of name servers are made up. */
import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  createOutboundClient,
  type OutboundRequest,
  type OutboundSettings,
} from '../../src/outbound/outbound-client.ts';
import { nodeEnvironment } from '../harness/node-environment.ts';
import { type LocalSite, redirectsTo, sends, startLocalSite } from './local-site.ts';

let site: LocalSite;
let inner: LocalSite;

beforeAll(async () => {
  site = await startLocalSite();
  inner = await startLocalSite();
});
afterAll(async () => {
  await Promise.all([site.stop(), inner.stop()]);
});
beforeEach(() => {
  (site.requests as unknown[]).length = 0;
  (inner.requests as unknown[]).length = 0;
});

const limits = { allow: [], timeoutMs: 5000, bytesMax: 100_000, redirectsMax: 3 };

/** Reads a whole answer. @returns its text, or the code of what prevented it */
async function load(request: string | OutboundRequest, settings: Partial<OutboundSettings> = {}): Promise<string> {
  const client = createOutboundClient({ ...limits, ...settings });
  const outcome = await client.request(typeof request === 'string' ? { url: request } : request, async ({ body }) => {
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  });
  return outcome.ok ? outcome.value : outcome.code;
}

/** A resolver that knows one name, and gives its addresses in turn, the last one for good. */
function names(name: string, ...answers: readonly (readonly string[])[]) {
  let asked = 0;
  return async (host: string) => {
    if (host !== name) throw new Error(`${host} is unknown`);
    return answers[Math.min(asked++, answers.length - 1)]!;
  };
}

test.each([
  'http://127.0.0.1:PORT/',
  'http://127.1:PORT/',
  'http://2130706433:PORT/',
  'http://0x7f000001:PORT/',
  'http://0x7f.1:PORT/',
  'http://0177.0.0.1:PORT/',
  'http://017700000001:PORT/',
  'http://127.0.0.1.:PORT/',
  'http://0:PORT/',
  'http://0.0.0.0:PORT/',
  'http://１２７.０.０.１:PORT/',
  'http://①②⑦.⓪.⓪.①:PORT/',
  'http://127。0。0。1:PORT/',
  'http://%31%32%37.0.0.1:PORT/',
  'http://[::1]:PORT/',
  'http://[::]:PORT/',
  'http://[::ffff:127.0.0.1]:PORT/',
  'http://[::ffff:7f00:1]:PORT/',
  'http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/',
  'http://[::127.0.0.1]:PORT/',
  'http://[64:ff9b::127.0.0.1]:PORT/',
  'http://[2002:7f00:1::]:PORT/',
  'http://[fe80::1]:PORT/',
  'http://[fd00::1]:PORT/',
  'http://[ff02::1]:PORT/',
  'http://169.254.169.254/latest/meta-data/',
  'http://[fd00:ec2::254]/latest/meta-data/',
  'http://100.100.100.200/',
  'http://10.0.0.1/',
  'http://192.168.1.1/',
  'http://172.16.0.1/',
  'http://255.255.255.255/',
  'http://224.0.0.1/',
])('%s is refused before a connection', async (url) => {
  expect(await load(url.replace('PORT', String(site.port)))).toBe('forbidden_address');
  expect(site.requests).toEqual([]);
});

test.each([
  'ftp://example.com/',
  'file:///etc/passwd',
  'gopher://127.0.0.1:6379/_FLUSHALL',
  'javascript:alert(1)',
  'data:text/html,x',
  'unix:/var/run/docker.sock',
  'http://user@example.com/',
  'http://user:password@example.com/',
  'http://example.com@127.0.0.1/',
  'http://[fe80::1%25eth0]/',
  'http://256.256.256.256/',
  'http:///',
  'http://',
  '//example.com/',
  '/etc/passwd',
  `http://example.com/${'a'.repeat(3000)}`,
])('%s is not a URL to request', async (url) => {
  expect(await load(url)).toBe('bad_url');
});

test.each(['localhost', 'localhost.', 'LOCALHOST', 'loopback.example'])(
  'the name %s is refused when it points to loopback',
  async (name) => {
    const resolve = async () => ['127.0.0.1'];
    expect(await load(`http://${name}:${site.port}/`, { resolve })).toBe('forbidden_address');
    expect(site.requests).toEqual([]);
  },
);

test('one forbidden address among public ones refuses the name', async () => {
  const resolve = names('mixed.example', ['93.184.215.14', '127.0.0.1']);
  expect(await load('http://mixed.example/', { resolve })).toBe('forbidden_address');
});

test('the name is asked for once, and the address that was checked is the one connected to', async () => {
  site.answer('/', sends('the site'));
  let asked = 0;
  const resolve = async () => (++asked === 1 ? ['127.0.0.1'] : ['127.0.0.2']);
  const url = `http://rebinding.example:${site.port}/`;
  expect(await load(url, { resolve, allow: ['127.0.0.1'] })).toBe('the site');
  expect(asked).toBe(1);
  // A second request asks again, and what it hears is checked again.
  expect(await load(url, { resolve, allow: ['127.0.0.1'] })).toBe('forbidden_address');
});

test('a name that rebinds between a page and its redirect to itself is refused', async () => {
  site.answer('/again', redirectsTo('/secret'));
  site.answer('/secret', sends('secret'));
  const resolve = names('rebinding.example', ['127.0.0.1'], ['127.0.0.2']);
  expect(await load(`http://rebinding.example:${site.port}/again`, { resolve, allow: ['127.0.0.1'] })).toBe(
    'forbidden_address',
  );
  expect(site.requests.map(({ url }) => url)).toEqual(['/again']);
});

/** A client to which the site is a public one: allowed by its name, while its address is not. */
const asPublicSite = { allow: ['site.example'], resolve: async () => ['127.0.0.1'] };
const siteUrl = (path = '/') => `http://site.example:${site.port}${path}`;

test.each([301, 302, 303, 307, 308])('a redirect (%d) to an inner address is refused', async (status) => {
  inner.answer('/', sends('inner'));
  const { port } = inner;
  for (const target of [
    `http://127.0.0.1:${port}/`,
    `http://2130706433:${port}/`,
    `//0x7f.1:${port}/`,
    `http://other.example:${port}/`,
  ]) {
    site.answer('/', redirectsTo(target, status));
    expect(await load(siteUrl(), asPublicSite)).toBe('forbidden_address');
  }
  expect(inner.requests).toEqual([]);
});

test.each([
  ['file:///etc/passwd', 'bad_url'],
  ['http://user:password@site.example/', 'bad_url'],
  ['gopher://site.example/', 'bad_url'],
  ['http://[', 'bad_url'],
  ['', 'too_many_redirects'],
])('a redirect to "%s" is refused', async (location, code) => {
  site.answer('/odd', redirectsTo(location));
  expect(await load(siteUrl('/odd'), asPublicSite)).toBe(code);
});

test('redirects are followed up to their bound', async () => {
  site.answer('/1', redirectsTo('/2'));
  site.answer('/2', redirectsTo('3', 301));
  site.answer('/3', redirectsTo('./end#part', 308));
  site.answer('/end', sends('found'));
  expect(await load(siteUrl('/1'), asPublicSite)).toBe('found');
  expect(await load(siteUrl('/1'), { ...asPublicSite, redirectsMax: 2 })).toBe('too_many_redirects');
});

test('headers of the caller go to the first origin alone, and nothing else is sent', async () => {
  site.answer('/away', redirectsTo(`http://127.0.0.1:${inner.port}/`));
  inner.answer('/', sends('there', { 'set-cookie': 'id=1' }));
  const request = { url: siteUrl('/away'), headers: { authorization: 'Bearer secret' }, accept: 'text/html' };
  expect(await load(request, { ...asPublicSite, allow: ['site.example', '127.0.0.1'] })).toBe('there');
  expect(site.requests[0]!.headers).toMatchObject({
    authorization: 'Bearer secret',
    host: `site.example:${site.port}`,
  });
  expect(Object.keys(inner.requests[0]!.headers).sort()).toEqual([
    'accept',
    'accept-encoding',
    'connection',
    'host',
    'user-agent',
  ]);
});

test('a POST follows no redirect', async () => {
  site.answer('/hook', redirectsTo(`http://127.0.0.1:${inner.port}/`, 307));
  const client = createOutboundClient({ ...limits, ...asPublicSite });
  const outcome = await client.request(
    { url: siteUrl('/hook'), method: 'POST', body: '{}' },
    async ({ status }) => status,
  );
  expect(outcome).toEqual({ ok: true, value: 307 });
  expect(inner.requests).toEqual([]);
});

test('ports other than those of the web are refused on public addresses', async () => {
  const resolve = async () => ['93.184.215.14'];
  expect(await load('http://site.example:6379/', { resolve })).toBe('forbidden_port');
  expect(await load('https://93.184.215.14:22/')).toBe('forbidden_port');
});

test('an answer that decodes to more than the bound ends there', async () => {
  const bomb = Buffer.alloc(50_000_000);
  site.answer('/gzip', sends(gzipSync(bomb), { 'content-encoding': 'gzip' }));
  site.answer('/br', sends(brotliCompressSync(bomb), { 'content-encoding': 'br' }));
  site.answer('/plain', sends(Buffer.alloc(200_000)));
  const before = process.memoryUsage().arrayBuffers;
  for (const path of ['/gzip', '/br', '/plain']) expect(await load(siteUrl(path), asPublicSite)).toBe('too_large');
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
});

test('an endless answer, and one that never begins, end with the time limit', async () => {
  site.answer('/drip', (_request, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write('x'), 20);
    response.on('close', () => clearInterval(timer));
  });
  site.answer('/silence', () => {});
  const quick = { ...asPublicSite, timeoutMs: 400 };
  expect(await load(siteUrl('/drip'), quick)).toBe('timeout');
  expect(await load(siteUrl('/silence'), quick)).toBe('timeout');
  expect(await load('http://slow.example/', { timeoutMs: 400, resolve: () => new Promise(() => {}) })).toBe('timeout');
});

test('redirects share one time limit', async () => {
  const slowly = (next: string) => (_request: unknown, response: import('node:http').ServerResponse) =>
    void setTimeout(() => response.writeHead(302, { location: next }).end(), 250);
  for (const step of [1, 2, 3]) site.answer(`/slow${step}`, slowly(`/slow${step + 1}`));
  expect(await load(siteUrl('/slow1'), { ...asPublicSite, timeoutMs: 600, redirectsMax: 9 })).toBe('timeout');
});

test.each([
  ['is not HTTP', 'SSH-2.0-OpenSSH_9.6\r\n', 'bad_answer'],
  ['has endless headers', `HTTP/1.1 200 OK\r\n${'x-filler: abcdefghijklmnop\r\n'.repeat(2000)}\r\n`, 'too_large'],
  ['ends early', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort', 'unreachable'],
  ['ends in the middle of a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n50\r\nabc', 'unreachable'],
  ['has two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab', 'bad_answer'],
  ['is not what it says', 'HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd', 'bad_answer'],
  [
    'is encoded twice',
    'HTTP/1.1 200 OK\r\ncontent-encoding: gzip, gzip\r\ncontent-length: 4\r\n\r\nabcd',
    'bad_answer',
  ],
  ['switches protocols', 'HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n', 'bad_answer'],
  ['is nothing', '', 'unreachable'],
])('an answer that %s is a value, not an exception', async (_what, answer, code) => {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as import('node:net').AddressInfo;
  expect(await load(`http://127.0.0.1:${port}/`, { allow: ['127.0.0.1'] })).toBe(code);
  await new Promise((closed) => server.close(closed));
});

test('a server that refuses the connection, or speaks no TLS, is unreachable; an unknown name is unknown', async () => {
  const closed = await startLocalSite();
  await closed.stop();
  expect(await load(closed.url, { allow: ['127.0.0.1'] })).toBe('unreachable');
  expect(await load(`https://127.0.0.1:${site.port}/`, { allow: ['127.0.0.1'] })).toBe('unreachable');
  expect(await load('http://unknown.example/', { resolve: names('other.example', ['127.0.0.1']) })).toBe(
    'unknown_host',
  );
  expect(await load('http://empty.example/', { resolve: async () => [] })).toBe('unknown_host');
});

test('a caller may stop early, by its signal or by reading no further', async () => {
  site.answer('/long', sends('a'.repeat(90_000)));
  const client = createOutboundClient({ ...limits, ...asPublicSite });
  const unread = await client.request({ url: siteUrl('/long') }, async ({ status }) => status);
  expect(unread).toEqual({ ok: true, value: 200 });
  const first = await client.request({ url: siteUrl('/long') }, async ({ body }) => {
    for await (const chunk of body) return chunk.length > 0;
    return false;
  });
  expect(first).toEqual({ ok: true, value: true });
  expect(await load({ url: siteUrl('/long'), signal: AbortSignal.abort() }, asPublicSite)).toBe('aborted');
});

test('an encoded page is decoded', async () => {
  site.answer('/page', sends(gzipSync('<title>hi</title>'), { 'content-encoding': 'gzip' }));
  expect(await load(siteUrl('/page'), asPublicSite)).toBe('<title>hi</title>');
});

test('a proxy of the environment is not used', async () => {
  site.answer('/direct', sends('direct'));
  const script = `
    import { createOutboundClient } from ${JSON.stringify(fileURLToPath(new URL('../../src/outbound/outbound-client.ts', import.meta.url)))};
    const client = createOutboundClient(${JSON.stringify({ ...limits, allow: ['127.0.0.1'] })});
    const outcome = await client.request({ url: ${JSON.stringify(`${site.url}/direct`)} }, async ({ status }) => status);
    process.stdout.write(JSON.stringify(outcome));`;
  const env = { ...nodeEnvironment, NODE_USE_ENV_PROXY: '1', HTTP_PROXY: inner.url, http_proxy: inner.url };
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env });
  expect(JSON.parse(stdout)).toEqual({ ok: true, value: 200 });
  expect(inner.requests).toEqual([]);
});

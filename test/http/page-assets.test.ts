/** The page's files: compressed as the browser takes them, and kept by it as long as they are what they are. */
import { request } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';

let parley: SharedParley;
let script: string;
let style: string;

beforeAll(async () => {
  parley = await useSharedParley();
  const page = (await get('/')).body.toString();
  script = /src="\.(\/assets\/[^"]+\.js)"/.exec(page)![1]!;
  style = /href="\.(\/assets\/[^"]+\.css)"/.exec(page)![1]!;
});

interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** As it came, not decompressed. */
  readonly body: Buffer;
}

function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request(parley.url + path, { method, headers });
    asked.on('response', async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) });
    });
    asked.on('error', reject);
    asked.end();
  });
}

const open: Readonly<Record<string, (body: Buffer) => Buffer>> = { br: brotliDecompressSync, gzip: gunzipSync };

test.each([
  ['gzip, deflate, br, zstd', 'br'],
  ['br', 'br'],
  ['gzip', 'gzip'],
  ['gzip, br;q=0', 'gzip'],
  ['BR', 'br'],
  ['*', undefined],
  ['zstd', undefined],
  ['identity', undefined],
  ['br;q=0, gzip;q=0', undefined],
  ['', undefined],
])('a browser that takes "%s" gets the text as %s, and it is the same text', async (accepted, encoding) => {
  for (const [path, type] of [
    [script, /javascript/],
    [style, /text\/css/],
    ['/', /text\/html/],
  ] as const) {
    const plain = await get(path);
    expect(plain.headers['content-encoding']).toBeUndefined();
    const got = await get(path, { 'accept-encoding': accepted });
    const chosen = got.headers['content-encoding'] as string | undefined;
    if (encoding !== undefined) expect([path, chosen]).toEqual([path, encoding]);
    expect(got.status).toBe(200);
    expect(got.headers['content-type']).toMatch(type);
    expect(String(got.headers.vary).toLowerCase()).toContain('accept-encoding');
    expect(String(plain.headers.vary).toLowerCase()).toContain('accept-encoding');
    expect((open[chosen ?? ''] ?? ((body: Buffer) => body))(got.body).equals(plain.body)).toBe(true);
    expect(Number(got.headers['content-length'])).toBe(got.body.length);
    if (chosen !== undefined) expect(got.headers.etag).not.toBe(plain.headers.etag);
  }
});

test('compressed, the scripts are less than two fifths of what they are', async () => {
  const [plain, brotli] = await Promise.all([get(script), get(script, { 'accept-encoding': 'br' })]);
  expect(brotli.body.length).toBeLessThan(plain.body.length * 0.4);
});

test.each(['br', 'gzip', 'identity'])(
  'as %s assets are kept for good, and the page is asked for each time',
  async (encoding) => {
    const headers = { 'accept-encoding': encoding };
    for (const path of [script, style])
      expect((await get(path, headers)).headers['cache-control']).toBe('public, max-age=31536000, immutable');
    const page = await get('/', headers);
    expect(page.headers['cache-control']).toBe('no-cache');
    const again = await get('/', { ...headers, 'if-none-match': String(page.headers.etag) });
    expect([again.status, again.body.length]).toEqual([304, 0]);
    const head = await get(script, headers, 'HEAD');
    expect([head.status, head.body.length]).toEqual([200, 0]);
    expect(head.headers['content-encoding']).toBe((await get(script, headers)).headers['content-encoding']);
  },
);

test('the compressed files have no addresses of their own, and what is not there is not there compressed', async () => {
  for (const path of [`${script}.br`, `${script}.gz`, '/index.html.br', '/assets/none.js', '/assets/'])
    expect([path, (await get(path, { 'accept-encoding': 'br' })).status]).toEqual([path, 404]);
});

test('a link to a room or a message leads to its place in the page, also under a path of a proxy', async () => {
  const [room, message] = ['01890000-0000-7000-8000-000000000001', '01890000-0000-7000-8000-000000000002'];
  for (const path of [`/rooms/${room}`, `/rooms/${room}/messages/${message}`, `/rooms/${room}/threads/${message}`]) {
    const { status, headers } = await get(path);
    expect(status).toBe(302);
    expect(new URL(headers.location as string, `https://host.example/chat${path}`).href).toBe(
      `https://host.example/chat/#${path}`,
    );
  }
  for (const path of ['/rooms/garden', `/rooms/${room}/messages/x`, `/rooms/${room}/other/${message}`, '/rooms'])
    expect({ path, status: (await get(path)).status }).toEqual({ path, status: 404 });
});

/** What strangers do to a server that takes files: one test for each attack. */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import postgres from 'postgres';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFakeClamd, startSickS3 } from '../harness/bad-stores.ts';
import { endWithUs } from '../harness/ends-with-us.ts';
import { s3Settings, startStore, type TestStore } from '../harness/file-stores.ts';
import { startParley } from '../harness/parley-process.ts';
import { freePort } from '../harness/ports.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { createRoom, signUp, type TestUser } from '../harness/test-client.ts';
import { fetchAs, fetchLink, formOf, sendFiles, tryUpload, upload } from '../harness/upload-calls.ts';

const maxBytes = 1024 * 1024;
const limits = {
  PARLEY_UPLOADS_MAX_BYTES: String(maxBytes),
  PARLEY_UPLOADS_SWEEP_INTERVAL: '100ms',
  PARLEY_UPLOADS_LINK_LIFETIME: '4s',
  PARLEY_UPLOADS_PER_USER_MAX: '4',
  PARLEY_UPLOADS_PER_MINUTE: '10000',
  PARLEY_UPLOADS_IDLE_TIMEOUT: '2s',
};

let store: TestStore;
let parley: Single;
let sql: postgres.Sql;
let ana: TestUser;

beforeAll(async () => {
  store = await startStore('local');
  parley = await startSingle({ ...store.settings, ...limits });
  sql = postgres(parley.database.url, { max: 1 });
  ana = await signUp(parley.url);
});
afterAll(async () => {
  await sql?.end();
  await parley?.end();
  await store?.end();
});

/** What the server keeps of a user's uploads: rows, bytes on their way, and bytes that are stored. */
async function leftOf(user: TestUser) {
  const rows = await sql<{ id: string }[]>`select id from attachments where owner_id = ${user.id}`;
  const owed = await sql<{ key: string }[]>`select key from file_deletions`;
  return { rows: rows.length, owed: owed.length, spooled: (await store.spooled()).length };
}
const nothing = { rows: 0, owed: 0, spooled: 0 };

/** A PNG of any size that compresses to nearly nothing. */
function bomb(side: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.writeUInt8(1, 8);
  const rows = deflateSync(Buffer.alloc(side * (Math.ceil(side / 8) + 1)), { level: 9 });
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', rows), chunk('IEND', Buffer.alloc(0))]);
}

const picture = (format: 'png' | 'jpeg' | 'gif' = 'png') =>
  sharp({ create: { width: 64, height: 48, channels: 3, background: '#c35' } })
    .toFormat(format)
    .toBuffer();

const boundary = 'the-boundary';
const opening = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="x.bin"\r\n\r\n`;

/** A request that is written by hand. @returns the status, or why there is none, and how many bytes were taken */
function rawUpload(
  url: string,
  user: TestUser,
  { length, bytes, cutAfter = Number.POSITIVE_INFINITY }: { length?: number; bytes: number; cutAfter?: number },
): Promise<{ status: number | string; code?: string; sent: number }> {
  return new Promise((resolve) => {
    const headers = {
      authorization: `Bearer ${user.accessToken}`,
      'content-type': `multipart/form-data; boundary=${boundary}`,
      ...(length === undefined ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(length) }),
    };
    const request = httpRequest(`${url}/v1/uploads`, { method: 'POST', headers });
    let sent = 0;
    let answered = false;
    request.on('response', (response) => {
      answered = true;
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode!, code: JSON.parse(text).code, sent }));
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (!answered) resolve({ status: error.code ?? error.message, sent });
    });
    const chunk = Buffer.alloc(64 * 1024, 7);
    request.write(opening);
    const more = (): void => {
      while (!answered && !request.destroyed && sent < bytes) {
        if (sent >= cutAfter) return void request.destroy();
        sent += chunk.length;
        if (!request.write(chunk)) return void request.once('drain', more);
      }
      if (!answered && sent >= bytes) request.end(`\r\n--${boundary}--\r\n`);
    };
    more();
  });
}

const gigabytes = 1024 ** 3;

test('a body of 2 GB that says so is refused before it is sent', async () => {
  const user = await signUp(parley.url);
  const refused = await rawUpload(parley.url, user, { length: 2 * gigabytes, bytes: 0 });
  expect(refused).toMatchObject({ status: 413, code: 'too_large' });
  expect(await leftOf(user)).toEqual(nothing);
});

test('a body of 2 GB that does not say so is refused as soon as it is too long', async () => {
  const user = await signUp(parley.url);
  const refused = await rawUpload(parley.url, user, { bytes: 2 * gigabytes });
  expect(refused).toMatchObject({ status: 413, code: 'too_large' });
  expect(refused.sent).toBeLessThan(64 * maxBytes);
  await expect.poll(() => leftOf(user)).toEqual(nothing);
});

test('a file of exactly the allowed size is taken, and one byte more is not', async () => {
  const user = await signUp(parley.url);
  expect((await tryUpload(parley.url, user, Buffer.alloc(maxBytes))).status).toBe(201);
  expect(await tryUpload(parley.url, user, Buffer.alloc(maxBytes + 1))).toMatchObject({
    status: 413,
    body: { code: 'too_large', maxBytes },
  });
});

test('a picture bomb is refused without being decoded', async () => {
  const user = await signUp(parley.url);
  const bytes = bomb(30_000);
  expect(bytes.length).toBeLessThan(150_000);
  expect(await tryUpload(parley.url, user, bytes, 'bomb.png')).toMatchObject({
    status: 400,
    body: { code: 'invalid', errors: [{ path: '/file' }] },
  });
  await expect.poll(() => leftOf(user)).toEqual(nothing);
});

test.each([
  ['HTML that is called a picture', '<!doctype html><script>alert(1)</script>', 'cat.png', 'image/png'],
  [
    'an SVG with a script',
    '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    'a.svg',
    'image/svg+xml',
  ],
  ['an XML that styles itself', '<?xml version="1.0"?><?xml-stylesheet href="#x"?><a/>', 'a.xml', 'text/xml'],
  ['JavaScript', 'alert(document.cookie)', 'a.js', 'text/javascript'],
])('%s is never shown in the browser', async (_what, text, name, type) => {
  const file = await upload(parley.url, ana, text, name, type);
  const answer = await fetchLink(parley.url, file.url);
  expect(await answer.text()).toBe(text);
  expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="${name}"`);
  expect(answer.headers.get('content-type')).toMatch(/^(text\/plain; charset=utf-8|application\/xml)$/);
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  expect(answer.headers.get('content-security-policy')).toMatch(/default-src 'none'.*sandbox/);
});

test('a picture that says it is a page is still a picture', async () => {
  const file = await upload(parley.url, ana, await picture(), 'page.html', 'text/html');
  expect(file.type).toBe('image/png');
  const answer = await fetchLink(parley.url, file.url);
  expect(answer.headers.get('content-type')).toBe('image/png');
});

test.each([
  ['../../../etc/passwd', 'passwd'],
  ['..\\..\\boot.ini', 'boot.ini'],
  ['a"; filename="b.html', 'a%22; filename=%22b.html'],
  ['invoice\u202efdp.exe', 'invoicefdp.exe'],
])('the name %j is harmless', async (given, expected) => {
  const file = await upload(parley.url, ana, 'x', given);
  expect(file.name).toBe(expected);
  const answer = await fetchLink(parley.url, file.url);
  expect(answer.headers.get('content-disposition')).toMatch(
    /^attachment; filename="[^"\\]*"(; filename\*=UTF-8''[\w%.-]+)?$/,
  );
  expect(existsSync(join(store.folder, 'etc'))).toBe(false);
});

test('a name that moderation blocks is refused', async () => {
  const user = await signUp(parley.url);
  const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
  expect(await tryUpload(parley.url, user, 'x', `${gtube}.txt`)).toMatchObject({
    status: 422,
    body: { code: 'message_blocked' },
  });
  expect(await leftOf(user)).toEqual(nothing);
});

test('nothing that was hidden in a picture is served', async () => {
  for (const format of ['png', 'jpeg', 'gif'] as const) {
    const hidden = '<script>alert("polyglot")</script>PK\x03\x04';
    const file = await upload(
      parley.url,
      ana,
      Buffer.concat([await picture(format), Buffer.from(hidden)]),
      `a.${format}`,
    );
    const bytes = Buffer.from(await (await fetchLink(parley.url, file.url)).arrayBuffer());
    expect([format, file.type, bytes.includes('polyglot')]).toEqual([format, `image/${format}`, false]);
  }
});

test('a broken picture is a file to download, and never shown', async () => {
  const whole = await sharp(randomBytes(200 * 200 * 3), { raw: { width: 200, height: 200, channels: 3 } })
    .png()
    .toBuffer();
  const file = await upload(parley.url, ana, whole.subarray(0, whole.length / 2), 'half.png', 'image/png');
  expect(file).toMatchObject({ type: 'application/octet-stream', width: null, thumbnailUrl: null });
  const answer = await fetchLink(parley.url, file.url);
  expect(answer.headers.get('content-disposition')).toBe('attachment; filename="half.png"');
});

test('an upload that is cut in the middle leaves nothing', async () => {
  const user = await signUp(parley.url);
  await rawUpload(parley.url, user, { bytes: maxBytes / 2, length: maxBytes / 2 + 500, cutAfter: maxBytes / 4 });
  await expect.poll(() => leftOf(user)).toEqual(nothing);
});

test('an upload that stops sending is refused, and leaves nothing', async () => {
  const user = await signUp(parley.url);
  const { hostname, port } = new URL(parley.url);
  const socket = connectTcp(Number(port), hostname);
  const closed = new Promise<string>((resolve) => {
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('close', () => resolve(text));
    socket.on('error', () => {});
  });
  socket.write(
    `POST /v1/uploads HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${user.accessToken}\r\ncontent-length: 5000\r\n` +
      `content-type: multipart/form-data; boundary=${boundary}\r\n\r\n${opening}the beginning`,
  );
  expect(await closed).toMatch(/^HTTP\/1.1 408 [\s\S]*"code":"request_timeout"/);
  await expect.poll(() => leftOf(user)).toEqual(nothing);
});

test.each([
  ['no multipart body', '{}', 'application/json', 415],
  [
    'another field',
    `--${boundary}\r\ncontent-disposition: form-data; name="other"; filename="a"\r\n\r\nx\r\n--${boundary}--\r\n`,
    undefined,
    400,
  ],
  ['no file at all', `--${boundary}--\r\n`, undefined, 400],
  [
    'a field that is no file',
    `--${boundary}\r\ncontent-disposition: form-data; name="file"\r\n\r\nx\r\n--${boundary}--\r\n`,
    undefined,
    400,
  ],
  ['no end', `${opening}x`, undefined, 400],
])('a body with %s is refused', async (_what, body, type, status) => {
  const user = await signUp(parley.url);
  const answer = await fetch(`${parley.url}/v1/uploads`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${user.accessToken}`,
      'content-type': type ?? `multipart/form-data; boundary=${boundary}`,
    },
    body,
  });
  expect(answer.status).toBe(status);
  await expect.poll(() => leftOf(user)).toEqual(nothing);
});

test('a user has a bounded number of uploads at once', async () => {
  const user = await signUp(parley.url);
  const slow = Array.from({ length: 4 }, () => {
    const request = httpRequest(`${parley.url}/v1/uploads`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${user.accessToken}`,
        'content-type': `multipart/form-data; boundary=${boundary}`,
        'transfer-encoding': 'chunked',
      },
    });
    request.on('error', () => {});
    request.write(`${opening}slowly`);
    return request;
  });
  await expect.poll(async () => (await leftOf(user)).rows).toBe(4);
  expect(await tryUpload(parley.url, user, 'a fifth')).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
  for (const request of slow) request.destroy();
  await expect.poll(() => leftOf(user)).toEqual(nothing);
  expect((await tryUpload(parley.url, user, 'a fifth')).status).toBe(201);
});

test('links that are forged, for another file or expired show nothing', async () => {
  const room = await createRoom([ana]);
  const [one, other] = [await upload(parley.url, ana, await picture()), await upload(parley.url, ana, await picture())];
  const { attachments } = await sendFiles(ana, room, [one.id, other.id]);
  const [link, otherLink] = attachments.map(({ url }) => new URL(url, parley.url)) as [URL, URL];
  const statusOf = async (url: URL) => (await fetch(url)).status;
  expect(await statusOf(link)).toBe(200);
  const changed = (change: (url: URL) => void) => {
    const url = new URL(link);
    change(url);
    return statusOf(url);
  };
  expect(await changed((url) => (url.pathname = otherLink.pathname))).toBe(401);
  expect(await changed((url) => (url.pathname += '/thumbnail'))).toBe(401);
  expect(await changed((url) => url.searchParams.set('expires', '99999999999'))).toBe(401);
  expect(await changed((url) => url.searchParams.set('signature', 'A'.repeat(22)))).toBe(401);
  expect(await changed((url) => url.searchParams.delete('signature'))).toBe(401);
  await expect.poll(() => statusOf(link)).toBe(403);
  // A login that may read the message still may.
  expect((await fetchAs(parley.url, ana, one.id)).status).toBe(200);
});

test('an upload that a killed instance left behind is swept by another one', async () => {
  const instance = await startParley({
    role: 'all',
    settings: { ...store.settings, ...limits, DATABASE_URL: parley.database.url },
  });
  const user = await signUp(parley.url);
  const request = httpRequest(`${instance.url}/v1/uploads`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${user.accessToken}`,
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'transfer-encoding': 'chunked',
    },
  });
  request.on('error', () => {});
  request.write(`${opening}half of it`);
  await expect.poll(async () => (await leftOf(user)).rows).toBe(1);
  await instance.kill();
  // They are older than any upload takes.
  const yesterday = new Date(Date.now() - 86_400_000);
  await sql`update attachments set created_at = ${yesterday} where owner_id = ${user.id}`;
  for (const name of await store.spooled()) await utimes(join(store.folder, 'spool', name), yesterday, yesterday);
  await expect.poll(() => leftOf(user)).toEqual(nothing);
});

const canMount = (() => {
  try {
    execFileSync('unshare', ['-m', 'true']);
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
})();

test.skipIf(!canMount)('a full disk refuses uploads for now, and leaves nothing', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'parley-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'none', dir]);
  const full = await startSingle({ ...limits, PARLEY_UPLOADS_DIR: dir });
  try {
    const user = await signUp(full.url);
    expect(await tryUpload(full.url, user, Buffer.alloc(maxBytes / 4))).toMatchObject({ status: 201 });
    expect(await tryUpload(full.url, user, Buffer.alloc(maxBytes))).toMatchObject({
      status: 503,
      body: { code: 'unavailable' },
    });
    expect(await tryUpload(full.url, user, Buffer.alloc(1000))).toMatchObject({ status: 201 });
    const other = postgres(full.database.url, { max: 1 });
    expect(await other`select count(*)::int as count from attachments`).toEqual([{ count: 2 }]);
    await other.end();
  } finally {
    await full.end();
    execFileSync('umount', [dir]);
    await rm(dir, { recursive: true });
  }
});

test('an S3 that answers 503 or nothing refuses uploads for now, leaves nothing, and delays deletions', async () => {
  let mood: 503 | 'silent' = 503;
  const s3 = await startSickS3(() => mood);
  const files = await startStore('local');
  const sick = await startSingle({
    ...files.settings,
    ...limits,
    ...s3Settings(`http://127.0.0.1:${s3.port}`),
    PARLEY_UPLOADS_S3_TIMEOUT: '1s',
  });
  const user = await signUp(sick.url);
  for (mood of [503, 'silent'] as const) {
    const begun = s3.requests();
    expect(await tryUpload(sick.url, user, 'some bytes')).toMatchObject({
      status: 503,
      body: { code: 'unavailable', retryAfterMs: expect.any(Number) },
    });
    // It was asked more than once, and not for ever.
    expect(s3.requests() - begun).toBeGreaterThan(1);
  }
  const other = postgres(sick.database.url, { max: 1 });
  expect(await other`select id from attachments`).toHaveLength(0);
  // What the store has not confirmed stays owed.
  expect(await other`select key from file_deletions`).toHaveLength(2);
  expect(await files.spooled()).toEqual([]);
  await other.end();
  await sick.end();
  await s3.end();
  await files.end();
}, 180_000);

const eicarLike = 'PARLEY-TEST-VIRUS-SIGNATURE';

test('a file that the scanner refuses is gone, and one that it does not answer about is not served', async () => {
  let mood: 'well' | 'silent' | 'broken' = 'well';
  const clamd = await startFakeClamd((bytes) => {
    if (mood === 'silent') return undefined;
    if (mood === 'broken') return 'INSTREAM size limit exceeded. ERROR';
    return bytes.includes(eicarLike) ? 'stream: Parley.Test FOUND' : 'stream: OK';
  });
  const files = await startStore('local');
  const scanned = await startSingle({
    ...files.settings,
    ...limits,
    PARLEY_UPLOADS_SCAN_CLAMD: `127.0.0.1:${clamd.port}`,
    PARLEY_UPLOADS_SCAN_TIMEOUT: '1s',
  });
  const user = await signUp(scanned.url);
  const big = randomBytes(maxBytes - 1000);
  expect((await tryUpload(scanned.url, user, big)).status).toBe(201);
  expect(await tryUpload(scanned.url, user, `a ${eicarLike} inside`)).toMatchObject({
    status: 422,
    body: { code: 'file_blocked', signature: 'Parley.Test' },
  });
  for (mood of ['silent', 'broken'] as const)
    expect(await tryUpload(scanned.url, user, 'not scanned')).toMatchObject({
      status: 503,
      body: { code: 'unavailable' },
    });
  await clamd.end();
  expect(await tryUpload(scanned.url, user, 'nobody there')).toMatchObject({
    status: 503,
    body: { code: 'unavailable' },
  });
  const other = postgres(scanned.database.url, { max: 1 });
  expect(await other`select state from attachments`).toEqual([{ state: 'ready' }]);
  await other.end();
  expect(await files.keys()).toHaveLength(1);
  await scanned.end();
  await files.end();
});

/** @returns its answer; nothing while it does not listen */
function pingClamd(port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connectTcp(port, '127.0.0.1', () => socket.write('zPING\0'));
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('error', () => {}).on('close', () => resolve(text));
  });
}

const hasClamd = existsSync('/usr/sbin/clamd');

test.skipIf(!hasClamd)('a real clamd finds what its signatures describe', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'parley-clamd-'));
  const port = await freePort();
  await writeFile(join(dir, 'parley.ndb'), `Parley.Test:0:*:${Buffer.from(eicarLike).toString('hex')}\n`);
  const settings = [
    `DatabaseDirectory ${dir}`,
    `TCPSocket ${port}`,
    'TCPAddr 127.0.0.1',
    'Foreground yes',
    'User root',
  ];
  await writeFile(join(dir, 'clamd.conf'), `${settings.join('\n')}\n`);
  const clamd = spawn('/usr/sbin/clamd', ['--config-file', join(dir, 'clamd.conf')], { stdio: 'ignore' });
  endWithUs(clamd);
  await expect.poll(() => pingClamd(port)).toBe('PONG\0');
  const scanned = await startSingle({ ...store.settings, ...limits, PARLEY_UPLOADS_SCAN_CLAMD: `127.0.0.1:${port}` });
  const user = await signUp(scanned.url);
  expect((await tryUpload(scanned.url, user, randomBytes(500_000))).status).toBe(201);
  expect(await tryUpload(scanned.url, user, `before ${eicarLike} after`)).toMatchObject({
    status: 422,
    body: { code: 'file_blocked', signature: expect.stringContaining('Parley.Test') },
  });
  await scanned.end();
  clamd.kill('SIGKILL');
  await rm(dir, { recursive: true, force: true });
});

test('a form that sends more than the file gets its file', async () => {
  const form = formOf('the file', 'a.txt');
  form.append('other', new File(['ignored'], 'b.txt'));
  const answer = await fetch(`${parley.url}/v1/uploads`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ana.accessToken}` },
    body: form,
  });
  expect([answer.status, ((await answer.json()) as { name: string }).name]).toEqual([201, 'a.txt']);
});

/** Custom emoji: who may change them, what may be one, and how they are shown. */
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { callApi, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

/** As the shared Parley has it. */
const max = 6;
let parley: SharedParley;
let sql: postgres.Sql;
let admin: TestUser;
let ana: TestUser;

beforeAll(async () => {
  parley = await useSharedParley();
  sql = postgres(parley.database.url, { max: 1, onnotice: () => {} });
  admin = await signUp(parley.url);
  await sql`update users set role = 'admin' where id = ${admin.id}`;
  const login = { login: admin.username, password: admin.password };
  admin.accessToken = (await callApi(parley.url, 'POST', '/v1/auth/login', login)).body.accessToken as string;
  ana = await signUp(parley.url);
});
afterAll(() => sql.end());

/** One pixel each. */
const pictures = {
  png: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  gif: 'R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7',
  webp: 'UklGRiQAAABXRUJQVlA4IBgAAAAwAQCdASoBAAEAAwA0JaQAA3AA/vuUAAA=',
} as const;
const bytes = (picture: keyof typeof pictures) => Buffer.from(pictures[picture], 'base64');

interface Part {
  readonly name: string;
  readonly content: string | Buffer;
  readonly filename?: string;
  readonly type?: string;
}

function formOf(parts: readonly Part[]): FormData {
  const form = new FormData();
  for (const { name, content, filename, type = 'image/png' } of parts) {
    if (filename === undefined) form.append(name, content as string);
    else form.append(name, new Blob([new Uint8Array(content as Buffer)], { type }), filename);
  }
  return form;
}

async function post(user: TestUser, body: FormData | Buffer, headers: Record<string, string> = {}) {
  const answer = await fetch(`${parley.url}/v1/emojis`, {
    method: 'POST',
    headers: { authorization: `Bearer ${user.accessToken}`, ...headers },
    body: body as never,
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

const add = (user: TestUser, name: string, content: Buffer, filename = 'x.png', type = 'image/png') =>
  post(
    user,
    formOf([
      { name: 'name', content: name },
      { name: 'file', content, filename, type },
    ]),
  );

test('a moderator adds an emoji, everybody lists and sees it, and it is a reaction', async () => {
  const made = await add(admin, 'party_parrot', bytes('gif'), 'anything.exe', 'text/html');
  expect(made).toMatchObject({
    status: 201,
    body: { name: 'party_parrot', type: 'image/gif', createdBy: admin.id, createdAt: expect.any(String) },
  });
  // A repeat after a lost answer.
  expect(await add(admin, 'party_parrot', bytes('gif'))).toMatchObject({ status: 200, body: { id: made.body.id } });
  expect(await add(admin, 'party_parrot', bytes('png'))).toMatchObject({ status: 409 });
  expect((await mustCall(ana, 'GET', '/v1/emojis')).items).toEqual([made.body]);

  const image = await fetch(parley.url + (made.body.url as string));
  expect(Buffer.from(await image.arrayBuffer()).equals(bytes('gif'))).toBe(true);
  expect(Object.fromEntries(image.headers)).toMatchObject({
    'content-type': 'image/gif',
    'cache-control': 'public, max-age=86400',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'cross-origin',
    'content-security-policy': expect.stringContaining('sandbox'),
  });
  const etag = image.headers.get('etag')!;
  const again = await fetch(parley.url + (made.body.url as string), { headers: { 'if-none-match': etag } });
  expect([again.status, await again.text()]).toEqual([304, '']);

  const roomId = await createRoom([ana]);
  const { id } = await mustCall(ana, 'POST', `/v1/rooms/${roomId}/messages`, { clientId: 'a', text: 'hello' });
  const reaction = `/v1/rooms/${roomId}/messages/${id as string}/reactions/${encodeURIComponent(':party_parrot:')}`;
  await mustCall(ana, 'PUT', reaction);
  const shown = async () => (await mustCall(ana, 'GET', `/v1/rooms/${roomId}/messages/${id as string}`)).reactions;
  const all = [{ emoji: ':party_parrot:', count: 1, userIds: [ana.id] }];
  expect(await shown()).toEqual(all);

  await mustCall(admin, 'DELETE', '/v1/emojis/party_parrot');
  expect((await admin.call('DELETE', '/v1/emojis/party_parrot')).status).toBe(404);
  expect((await fetch(parley.url + (made.body.url as string))).status).toBe(404);
  // The old reaction stays as its text. Nobody adds another, and its owner may take it back.
  expect(await shown()).toEqual(all);
  await mustCall(ana, 'DELETE', reaction);
  expect(await ana.call('PUT', reaction)).toMatchObject({ status: 400, body: { code: 'invalid' } });
  expect(await shown()).toEqual([]);
  const { items } = await mustCall(admin, 'GET', '/v1/moderation/audit');
  expect(items!.slice(0, 2).map(({ action }) => action)).toEqual(['emoji.delete', 'emoji.create']);
});

test('the list has an ETag that changes with it, and pages', async () => {
  for (const [name, picture] of [
    ['one', 'png'],
    ['two', 'webp'],
  ] as const)
    expect((await add(admin, name, bytes(picture))).status).toBe(201);
  const first = await ana.call('GET', '/v1/emojis');
  const etag = first.headers.get('etag')!;
  const ask = () => ana.call('GET', '/v1/emojis', undefined, { 'if-none-match': etag });
  expect((await ask()).status).toBe(304);
  const page = await mustCall(ana, 'GET', '/v1/emojis?limit=1');
  const next = await mustCall(ana, 'GET', `/v1/emojis?limit=1&cursor=${page.nextCursor as string}`);
  expect([...page.items!, ...next.items!]).toEqual(first.body.items);
  await mustCall(admin, 'DELETE', '/v1/emojis/one');
  expect(await ask()).toMatchObject({ status: 200, body: { items: [{ name: 'two', type: 'image/webp' }] } });
  await mustCall(admin, 'DELETE', '/v1/emojis/two');
});

test('who is no moderator changes nothing, and without a login there is no list', async () => {
  // The form is not read, so the connection may close while it is sent.
  const refused = await add(ana, 'mine', bytes('png')).catch(() => undefined);
  expect(refused?.status ?? 403).toBe(403);
  expect((await mustCall(ana, 'GET', '/v1/emojis')).items).toEqual([]);
  expect((await ana.call('DELETE', '/v1/emojis/mine')).status).toBe(403);
  expect((await callApi(parley.url, 'GET', '/v1/emojis')).status).toBe(401);
});

const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');

test.each([
  ['an SVG with a script', svg],
  ['a page that says it is a picture', Buffer.from('<!doctype html><script>alert(1)</script>')],
  ['a PDF', Buffer.from('%PDF-1.7\n')],
  ['a picture that is cut', Buffer.from(pictures.png, 'base64').subarray(0, 20)],
  ['a PNG of 30,000 × 30,000 pixels', hugePng()],
  ['nothing', Buffer.alloc(0)],
])('%s is no emoji', async (_what, content) => {
  expect(await add(admin, 'bad', content)).toMatchObject({ status: 400, body: { code: 'invalid' } });
});

/** The head of a picture, as a decompression bomb has it. */
function hugePng(): Buffer {
  const png = Buffer.from(pictures.png, 'base64');
  png.writeUInt32BE(30_000, 16);
  png.writeUInt32BE(30_000, 20);
  return png;
}

test('a file that is too large, and a form that is not the one that is needed, are refused', async () => {
  const large = Buffer.concat([bytes('png'), Buffer.alloc(65 * 1024)]);
  expect(await add(admin, 'large', large)).toMatchObject({ status: 413, body: { code: 'too_large' } });
  for (const name of ['A', 'a', '../etc', 'with space', 'x'.repeat(33), ''])
    expect(await add(admin, name, bytes('png'))).toMatchObject({
      status: 400,
      body: { code: 'invalid', errors: [{ path: '/name' }] },
    });
  const file = { name: 'file', content: bytes('png'), filename: 'x.png' };
  for (const parts of [
    [file],
    [{ name: 'name', content: 'fine' }],
    [{ name: 'name', content: 'fine' }, file, file],
    [
      { name: 'name', content: 'fine' },
      { ...file, name: 'picture' },
    ],
  ])
    expect(await post(admin, formOf(parts))).toMatchObject({ status: 400, body: { code: 'invalid' } });
  const cut = Buffer.from('--x\r\ncontent-disposition: form-data; name="name"\r\n\r\nfine');
  expect(await post(admin, cut, { 'content-type': 'multipart/form-data; boundary=x' })).toMatchObject({ status: 400 });
  expect(await post(admin, Buffer.from('{}'), { 'content-type': 'application/json' })).toMatchObject({ status: 415 });
  // The server is well.
  expect((await mustCall(admin, 'GET', '/v1/emojis')).items).toEqual([]);
});

test('a name that moderation refuses is refused, and there are so many emoji and no more', async () => {
  await mustCall(admin, 'POST', '/v1/moderation/rules', { kind: 'word', pattern: 'zqbadword', action: 'block' });
  await expect
    .poll(async () => {
      const answer = await add(admin, 'zqbadword', bytes('png'));
      if (answer.status === 201) await mustCall(admin, 'DELETE', '/v1/emojis/zqbadword');
      return answer.body.code;
    })
    .toBe('message_blocked');
  const answers = await Promise.all(Array.from({ length: max + 2 }, (_, at) => add(admin, `many${at}`, bytes('png'))));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(max);
  expect(answers.filter(({ body }) => body.code === 'conflict')).toHaveLength(2);
});

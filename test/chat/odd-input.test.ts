/** Input that is almost valid gets a clear error and is not stored. */
import { beforeAll, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { callApi, connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: SharedParley;
let ana: TestUser;
let ben: TestUser;
let room: string;

beforeAll(async () => {
  parley = await useSharedParley();
  [ana, ben] = (await Promise.all([1, 2].map(() => signUp(parley.url)))) as [TestUser, TestUser];
  room = await createRoom([ana, ben]);
});

const password = 'a password of some length';
const send = (text: string) => mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: text, text });

test.each([
  ['NUL', 'a\0'],
  ['half a surrogate pair', '\ud800'],
  ['a line break', 'a\nb'],
  ['nothing', ''],
  ['65 characters', 'x'.repeat(65)],
])('a clientId of %s is invalid over REST and WebSocket', async (_, clientId) => {
  const errors = [{ path: '/clientId', message: expect.any(String) }];
  const { status, body } = await ana.call('POST', `/v1/rooms/${room}/messages`, { clientId, text: 'x' });
  expect({ status, ...body }).toMatchObject({ status: 400, code: 'invalid', errors });
  const socket = await connect(parley.url, ana);
  const answer = await socket.ask({ type: 'message.send', roomId: room, clientId, text: 'x' });
  expect(answer).toMatchObject({ type: 'error', code: 'invalid', errors });
  await socket.close();
});

test('an id in capitals is invalid in every place', async () => {
  const { id } = await send('one spelling');
  const capitals = (id as string).toUpperCase();
  const refused = await Promise.all([
    ana.call('GET', `/v1/rooms/${room.toUpperCase()}`),
    ana.call('DELETE', `/v1/rooms/${room}/messages/${capitals}`),
    ana.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'reply', text: 'x', replyTo: capitals }),
    ana.call('POST', '/v1/dms', { userIds: [ben.id.toUpperCase()] }),
  ]);
  expect(refused.map(({ status, body }) => [status, body.code])).toEqual(refused.map(() => [400, 'invalid']));
});

test('history around a message holds at most its limit; if one side is short, the other fills the page', async () => {
  const own = await createRoom([ana]);
  for (let n = 2; n <= 8; n++)
    await mustCall(ana, 'POST', `/v1/rooms/${own}/messages`, { clientId: `k${n}`, text: `m${n}` });
  const around = async (seq: number, limit: number) => {
    const page = await mustCall(ana, 'GET', `/v1/rooms/${own}/messages?around=${seq}&limit=${limit}`);
    return { seqs: (page.messages as { seq: number }[]).map((each) => each.seq), hasMore: page.hasMore };
  };
  expect(await around(5, 1)).toEqual({ seqs: [5], hasMore: true });
  expect(await around(5, 3)).toEqual({ seqs: [4, 5, 6], hasMore: true });
  expect(await around(2, 4)).toEqual({ seqs: [2, 3, 4, 5], hasMore: true });
  expect(await around(99, 3)).toEqual({ seqs: [6, 7, 8], hasMore: true });
  expect(await around(5, 7)).toEqual({ seqs: [2, 3, 4, 5, 6, 7, 8], hasMore: false });
});

test('earlier versions of a message are paged by cursor like every list', async () => {
  const { id } = await send('version 0');
  const path = `/v1/rooms/${room}/messages/${id}`;
  for (let n = 1; n <= 5; n++) await mustCall(ana, 'PATCH', path, { text: `version ${n}` });
  const texts: unknown[] = [];
  let cursor = '';
  do {
    const page = await mustCall(ben, 'GET', `${path}/edits?limit=2${cursor}`);
    expect(page.items!.length).toBeLessThanOrEqual(2);
    texts.push(...page.items!.map((edit) => edit.text));
    cursor = page.nextCursor ? `&cursor=${page.nextCursor}` : '';
  } while (cursor);
  expect(texts).toEqual(['version 0', 'version 1', 'version 2', 'version 3', 'version 4']);
  const far = Buffer.from(JSON.stringify([Number.MAX_SAFE_INTEGER - 1])).toString('base64url');
  expect((await mustCall(ben, 'GET', `${path}/edits?cursor=${far}`)).items).toEqual([]);
});

test('a display name with NUL is refused, not cleaned', async () => {
  const answer = await ana.call('PATCH', '/v1/users/me', { displayName: 'a\0b' });
  expect(answer).toMatchObject({ status: 400, body: { code: 'invalid' } });
});

test.each([
  ['a picture’s address with NUL', 'PATCH', '/v1/users/me', { avatarUrl: 'https://a.example/\0.png' }],
  ['a picture’s address with half a pair', 'PATCH', '/v1/users/me', { avatarUrl: 'https://a.example/\ud800' }],
  ['a name of a key with NUL', 'POST', '/v1/api-keys', { name: 'a\0', scopes: ['users:read'] }],
])('%s is refused with invalid, not with internal', async (_, method, path, body) => {
  expect(await ana.call(method, path, body)).toMatchObject({ status: 400, body: { code: 'invalid' } });
});

test.each([
  ['in the year 0', '0000-06-01T00:00:00.000Z'],
  ['past the year 9999', '9999-12-31T23:59:59.000-10:00'],
  ['with a second 60', '2030-12-31T23:59:60.000Z'],
])('a time %s is invalid', async (_, time) => {
  const muted = await ana.call('PUT', `/v1/rooms/${room}/notifications`, { level: 'all', mutedUntil: time });
  expect(muted).toMatchObject({ status: 400, body: { errors: [{ path: '/mutedUntil' }] } });
});

test('a cursor with an invalid time is invalid', async () => {
  const id = '01890000-0000-7000-8000-000000000000';
  for (const at of ['0000-01-01T00:00:00.000Z', '2024-13-01T00:00:00.000Z', 'yesterday']) {
    const cursor = Buffer.from(JSON.stringify([at, id])).toString('base64url');
    for (const list of ['queue', 'audit', 'rules', 'bans']) {
      const answer = await ana.call('GET', `/v1/moderation/${list}?roomId=${room}&cursor=${cursor}`);
      expect([list, at, answer.status, answer.body.code]).toEqual([list, at, 400, 'invalid']);
    }
  }
});

test('every error names its field as a JSON pointer, in bodies, queries, paths and frames', async () => {
  const post = (path: string, body: unknown) => ana.call('POST', path, body);
  const messages = `/v1/rooms/${room}/messages`;
  const complaints: [string, Promise<{ body: Record<string, unknown> }>][] = [
    ['/text', post(messages, { clientId: 'p1', text: '\u200b' })],
    ['/text', post(messages, { clientId: 'p2', text: 'x'.repeat(8001) })],
    ['/text', post(messages, { clientId: 'p3' })],
    ['/colour', post(messages, { clientId: 'p4', text: 'x', colour: 'red' })],
    ['/replyTo', post(messages, { clientId: 'p5', text: 'x', replyTo: room })],
    ['/name', post('/v1/rooms', { name: ' \u200b ', visibility: 'private' })],
    ['/topic', post('/v1/rooms', { name: 'x', topic: 'a\0', visibility: 'private' })],
    ['/memberIds', post('/v1/rooms', { name: 'x', visibility: 'private', memberIds: [room] })],
    ['/memberIds/0', post('/v1/rooms', { name: 'x', visibility: 'private', memberIds: ['nobody'] })],
    ['/displayName', ana.call('PATCH', '/v1/users/me', { displayName: '\u200b' })],
    ['/cursor', ana.call('GET', '/v1/rooms?cursor=odd')],
    ['/limit', ana.call('GET', '/v1/rooms?limit=101')],
    ['/query', ana.call('GET', '/v1/rooms?query=x')],
    ['/querystring', ana.call('GET', `${messages}?before=5&after=2`)],
    ['/roomId', ana.call('GET', '/v1/rooms/nowhere')],
    ['/userId', ana.call('PUT', `/v1/users/me/blocks/${ana.id}`)],
    [
      '/idempotency-key',
      ana.call('POST', '/v1/rooms', { name: 'x', visibility: 'private' }, { 'idempotency-key': ' ' }),
    ],
    [
      '/username',
      callApi(parley.url, 'POST', '/v1/auth/register', { username: '-', email: 'a@example.org', password }),
    ],
    [
      '/password',
      callApi(parley.url, 'POST', '/v1/auth/register', { username: 'abc', email: 'a@example.org', password: 'x' }),
    ],
  ];
  for (const [path, answer] of complaints)
    expect((await answer).body).toMatchObject({ errors: [{ path, message: expect.any(String) }] });

  const socket = await connect(parley.url, ana);
  const say = (fields: object) => socket.ask({ type: 'message.send', roomId: room, clientId: 'p6', ...fields });
  for (const [path, fields] of [
    ['/text', { text: '\u200b' }],
    ['/text', {}],
    ['/replyTo', { text: 'x', replyTo: room }],
    ['/colour', { text: 'x', colour: 'red' }],
  ] as const)
    expect(await say(fields)).toMatchObject({ type: 'error', errors: [{ path }] });
  await socket.close();
});

test('an empty list of attachments is accepted', async () => {
  const path = `/v1/rooms/${room}/messages`;
  const sent = await ana.call('POST', path, { clientId: 'none', text: 'nothing attached', attachmentIds: [] });
  expect(sent).toMatchObject({ status: 201, body: { attachments: [] } });
  const socket = await connect(parley.url, ana);
  const frame = { type: 'message.send', roomId: room, clientId: 'none', text: 'nothing attached' };
  // An empty list is not content: it is the same message.
  expect(await socket.ask({ ...frame, attachmentIds: [] })).toMatchObject({ messageId: sent.body.id, duplicate: true });
  expect(await socket.ask(frame)).toMatchObject({ messageId: sent.body.id, duplicate: true });
  await socket.close();
});

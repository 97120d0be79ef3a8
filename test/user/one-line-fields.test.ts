/** Names, topics and notes must be one visible line, on every route. */
import postgres from 'postgres';
import { beforeAll, expect, test } from 'vitest';
import { createSoftwareAuthenticator } from '../auth/software-authenticator.ts';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { type Answer, callApi, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: SharedParley;
let admin: TestUser;
let ben: TestUser;
let room: string;
let server: TestUser['call'];
let factor: string;

beforeAll(async () => {
  parley = await useSharedParley();
  [admin, ben] = await Promise.all([signUp(parley.url), signUp(parley.url)]);
  const sql = postgres(parley.database.url, { max: 1 });
  await sql`update users set role = 'admin' where id = ${admin.id}`;
  await sql.end();
  const login = { login: admin.username, password: admin.password };
  admin.accessToken = (await callApi(parley.url, 'POST', '/v1/auth/login', login)).body.accessToken as string;
  room = await createRoom([admin, ben]);
  const { key } = await mustCall(admin, 'POST', '/v1/api-keys', { name: 'server', scopes: ['users:write'] });
  server = (method, path, body) => callApi(parley.url, method, path, body, { authorization: `Bearer ${key}` });
  factor = await addPasskey('Laptop');
});

async function addPasskey(name: string): Promise<string> {
  const answer = await keepPasskey(name);
  if (answer.status !== 201) throw new Error(`a passkey was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body.id as string;
}

async function keepPasskey(name: string): Promise<Answer> {
  const begun = await mustCall(admin, 'POST', '/v1/users/me/second-factors/passkeys/options');
  const made = createSoftwareAuthenticator(parley.url).register(begun as never, true);
  return admin.call('POST', '/v1/users/me/second-factors/passkeys', { ...made, name });
}

const open = (method: string, path: string, body: object) => callApi(parley.url, method, path, body);
const newAccount = () => ({
  username: `n${crypto.randomUUID().slice(0, 12)}`,
  email: 'n@example.org',
  password: 'a password of some length',
});
const identity = () => ({ issuer: parley.host.issuer, subject: crypto.randomUUID() });
const rule = { kind: 'word', pattern: 'snorblat', action: 'flag' };

/** Every one-line field: its path, and a call that sets it. */
const fields: readonly [string, string, (text: string) => Promise<Answer>][] = [
  [
    'the name of a registration',
    '/displayName',
    (displayName) => open('POST', '/v1/auth/register', { ...newAccount(), displayName }),
  ],
  ['the name of a guest', '/displayName', (displayName) => open('POST', '/v1/auth/guest', { displayName })],
  ['a display name', '/displayName', (displayName) => ben.call('PATCH', '/v1/users/me', { displayName })],
  [
    'the name of an account that a server makes',
    '/displayName',
    (displayName) => server('POST', '/v1/users', { username: newAccount().username, displayName }),
  ],
  [
    'the name of an account that a server makes for an identity',
    '/displayName',
    (displayName) => server('POST', '/v1/users', { identity: identity(), displayName }),
  ],
  ['the name of a new room', '/name', (name) => ben.call('POST', '/v1/rooms', { name, visibility: 'private' })],
  ['the name of a room', '/name', (name) => admin.call('PATCH', `/v1/rooms/${room}`, { name })],
  [
    'the topic of a new room',
    '/topic',
    (topic) => ben.call('POST', '/v1/rooms', { name: 'x', visibility: 'private', topic }),
  ],
  ['the topic of a room', '/topic', (topic) => admin.call('PATCH', `/v1/rooms/${room}`, { topic })],
  ['the name of an API key', '/name', (name) => admin.call('POST', '/v1/api-keys', { name, scopes: ['users:read'] })],
  ['the name of a new passkey', '/name', keepPasskey],
  ['the name of a passkey', '/name', (name) => admin.call('PATCH', `/v1/users/me/second-factors/${factor}`, { name })],
  ['the note of a rule', '/note', (note) => admin.call('POST', '/v1/moderation/rules', { ...rule, note })],
  [
    'the note of a decision',
    '/note',
    (note) => admin.call('POST', `/v1/moderation/queue/${room}`, { decision: 'approve', note }),
  ],
  [
    'the reason of a ban',
    '/reason',
    (reason) => admin.call('PUT', `/v1/moderation/bans/${ben.id}`, { reason, roomId: room }),
  ],
];

test.each(fields)('%s must be one visible line', async (_, path, fill) => {
  const bad = [
    'a\r\nBcc: eve@example.org',
    'a\tb',
    'a\u2028b',
    'a\0b',
    'a\ud800',
    'a\u202eb',
    '\u3164',
    '\u2800\u00ad',
  ];
  for (const text of bad) {
    const { status, body } = await fill(text);
    expect({ text, status, code: body.code, errors: body.errors }).toEqual({
      ...{ text, status: 400, code: 'invalid' },
      errors: [{ path, message: expect.any(String) }],
    });
  }
});

test.each(fields.filter(([field]) => !/decision|ban/.test(field)))(
  '%s keeps the joiners that it needs',
  async (_, path, fill) => {
    for (const text of ['👩‍💻 Ana', 'می\u200cخواهم', '🏴󠁧󠁢󠁷󠁬󠁳󠁿']) {
      const { status, body } = await fill(`  ${text}\u200b `);
      expect(status).toBeLessThan(300);
      const shown = (body.user ?? body) as Record<string, unknown>;
      const field = path.slice(1);
      // The answers about keys and new passkeys contain no name.
      if (field in shown) expect(shown[field]).toBe(text);
    }
    const { items } = await mustCall(admin, 'GET', '/v1/api-keys');
    expect(new Set(items!.map(({ name }) => name))).not.toContain('  👩‍💻 Ana\u200b ');
  },
);

test('a topic may be empty, and the pattern of a word is one line', async () => {
  expect(await admin.call('PATCH', `/v1/rooms/${room}`, { topic: '' })).toMatchObject({
    status: 200,
    body: { topic: '' },
  });
  const broken = await admin.call('POST', '/v1/moderation/rules', { ...rule, pattern: 'snor\nblat' });
  expect(broken).toMatchObject({ status: 400, body: { errors: [{ path: '/pattern' }] } });
});

test('a name from a host application is cleaned to one line', async () => {
  const nameFor = async (name: unknown) => {
    const token = await parley.host.sign({ sub: crypto.randomUUID(), name, preferred_username: 'x' });
    const { status, body } = await callApi(parley.url, 'GET', '/v1/users/me', undefined, {
      authorization: `Bearer ${token}`,
    });
    return { status, name: body.displayName === body.username ? 'the username' : body.displayName };
  };
  expect(await nameFor('Ana\r\nBcc: eve@example.org')).toEqual({ status: 200, name: 'Ana Bcc: eve@example.org' });
  expect(await nameFor('Ana\0\u202e of the app\ud800')).toEqual({ status: 200, name: 'Ana of the app\ufffd' });
  expect(await nameFor('👩‍💻 Ana')).toEqual({ status: 200, name: '👩‍💻 Ana' });
  expect(await nameFor(`${'x'.repeat(60)}👨‍👩‍👧‍👦`)).toEqual({ status: 200, name: 'x'.repeat(60) });
  for (const nothing of ['\u3164\u2800', '\u200d', 'a'.repeat(0), 7, { name: 'x' }])
    expect(await nameFor(nothing)).toEqual({ status: 200, name: 'the username' });
});

/** Every route and frame, as every kind of caller, in a private and in a public room. */
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi, openSocket } from '../harness/test-client.ts';
import {
  type Caller,
  frames,
  type RouteExpectation,
  routes,
  type Unproved,
  type World,
} from './matrix-expectations.ts';

const jwtSecret = 'a secret of the matrix, which is long enough';
const callers: readonly Caller[] = ['outsider', 'removed', 'member', 'moderator', 'owner', 'guest', 'admin', 'server'];
const unproved: readonly Unproved[] = ['nobody', 'expired', 'revoked', 'foreign', 'banned'];
const inMembers = new Set(['member', 'moderator', 'owner', 'removed']);
/** Cells worked on at once. */
const lanes = 6;

let parley: Single;
let sql: postgres.Sql;
let serverKey: string;
let admin: Person;

interface Person {
  readonly id: string;
  readonly token: string;
}

beforeAll(async () => {
  parley = await startSingle({
    JWT_SECRET: jwtSecret,
    // About authority, not about speed.
    PARLEY_MODERATION_TIMEOUT: '20s',
    PARLEY_LIMITS_REQUESTS_PER_MINUTE: '1000000',
    PARLEY_LIMITS_LOGINS_PER_MINUTE: '1000000',
    PARLEY_LIMITS_GUESTS_PER_MINUTE: '1000000',
    PARLEY_AUTH_API_KEYS_MAX: '100000',
    PARLEY_AUTH_ISSUERS: JSON.stringify([
      { issuer: 'https://known.example', audience: 'parley', secret: 'the secret of a known application' },
    ]),
  });
  sql = postgres(parley.database.url, { max: 2 });
  const first = await callApi(parley.url, 'POST', '/v1/auth/register', {
    ...{ username: 'matrix', email: 'matrix@example.org', password: 'a long enough one' },
  });
  await sql`update users set role = 'admin'`;
  const login = await callApi(parley.url, 'POST', '/v1/auth/login', {
    login: 'matrix',
    password: 'a long enough one',
  });
  admin = { id: (first.body.user as { id: string }).id, token: login.body.accessToken as string };
  const all = await callApi(parley.url, 'POST', '/v1/api-keys', { name: 'x', scopes: ['users:read'] }, bearer(admin));
  expect(all.status).toBe(201);
  const { apiScopes } = await import('../../src/http/caller.ts');
  const key = await callApi(parley.url, 'POST', '/v1/api-keys', { name: 'matrix', scopes: apiScopes }, bearer(admin));
  serverKey = key.body.key as string;
});
afterAll(async () => {
  await sql.end();
  await parley.end();
});

const bearer = ({ token }: { token: string }) => ({ authorization: `Bearer ${token}` });

async function asServer(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await callApi(parley.url, method, path, body, bearer({ token: serverKey }));
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

async function makePerson(): Promise<Person> {
  const { id } = await asServer('POST', '/v1/users', { username: `p${randomBytes(8).toString('hex')}` });
  await sql`update users set email = ${`${id}@example.org`} where id = ${id as string}`;
  const { accessToken } = await asServer('POST', `/v1/users/${id}/sessions`);
  return { id: id as string, token: accessToken as string };
}

/** Nobody else opens a login for an admin: this one has the password of the first. */
async function makeAdmin(): Promise<Person> {
  const username = `a${randomBytes(8).toString('hex')}`;
  const { id } = await asServer('POST', '/v1/users', { username });
  await sql`update users set role = 'admin', email = ${`${id}@example.org`},
    password_hash = (select password_hash from users where id = ${admin.id}) where id = ${id as string}`;
  const { body } = await callApi(parley.url, 'POST', '/v1/auth/login', {
    login: username,
    password: 'a long enough one',
  });
  // In all else like the others.
  await sql`update users set password_hash = null where id = ${id as string}`;
  return { id: id as string, token: body.accessToken as string };
}

async function makeGuest(): Promise<Person> {
  const { body } = await callApi(parley.url, 'POST', '/v1/auth/guest', { displayName: 'Guest' });
  return { id: (body.user as { id: string }).id, token: body.accessToken as string };
}

function sign(claims: object, secret: string, typ: string): string {
  const now = Math.floor(Date.now() / 1000);
  const parts = [
    { alg: 'HS256', typ },
    { iat: now - 900, exp: now + 600, ...claims },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  const signed = parts.join('.');
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** They change nothing, so one of each kind, and one room, does for all cells. */
const refused = new Map<Unproved, Promise<{ token: string } | undefined>>();
let sharedWorld: Promise<{ world: World }> | undefined;

function findUnproved(kind: Unproved): Promise<{ token: string } | undefined> {
  const known = refused.get(kind) ?? makeUnproved(kind);
  refused.set(kind, known);
  return known;
}

async function makeUnproved(kind: Unproved): Promise<{ token: string } | undefined> {
  if (kind === 'nobody') return undefined;
  const person = await makePerson();
  if (kind === 'banned') {
    await sql`insert into revocations (kind, user_id) values ('ban', ${person.id})`;
    return person;
  }
  if (kind === 'revoked') {
    await callApi(parley.url, 'POST', '/v1/auth/logout', undefined, bearer(person));
    return person;
  }
  const subject = { sub: person.id, sid: randomUUID(), role: 'admin', kind: 'user' };
  if (kind === 'foreign')
    return { token: sign({ ...subject, iss: 'https://unknown.example', aud: 'parley' }, 'x'.repeat(40), 'JWT') };
  const exp = Math.floor(Date.now() / 1000) - 120;
  return { token: sign({ ...subject, iss: 'parley', aud: 'parley', exp }, jwtSecret, 'at+jwt') };
}

/** A room of the cell's own, in which the caller has the place that the cell is about. */
async function makeWorld(
  caller: Caller,
  visibility: 'private' | 'public',
  withRoom = true,
): Promise<{ world: World; token: string }> {
  const person = await (caller === 'guest' ? makeGuest() : caller === 'admin' ? makeAdmin() : makePerson());
  const [other, stranger] = [await makePerson(), await makePerson()];
  const token = caller === 'server' ? serverKey : person.token;
  const people = { otherId: other.id, strangerId: stranger.id, callerId: person.id };
  const unique = randomBytes(6).toString('hex');
  if (!withRoom) return { world: { ...people, unique, roomId: '', messageId: '' }, token };
  const memberIds = [other.id, ...(inMembers.has(caller) ? [person.id] : [])];
  const ownerId = caller === 'owner' ? person.id : admin.id;
  const { id } = await asServer('POST', '/v1/rooms', { name: 'Garden', visibility, ownerId, memberIds });
  const roomId = id as string;
  if (caller === 'moderator')
    await asServer('PATCH', `/v1/rooms/${roomId}/members/${person.id}`, { role: 'moderator' });
  if (caller === 'removed') await asServer('DELETE', `/v1/rooms/${roomId}/members/${person.id}`);
  const draft = { clientId: 'first', text: 'hello' };
  const sent = await callApi(parley.url, 'POST', `/v1/rooms/${roomId}/messages`, draft, bearer(other));
  return { world: { ...people, unique, roomId, messageId: sent.body.id as string }, token };
}

function requestOf(name: string, { path, body }: RouteExpectation, world: World) {
  const [method, template] = name.split(' ') as [string, string];
  const filled = template
    .replace('{roomId}', world.roomId)
    .replace('{messageId}', world.messageId)
    .replace('{userId}', world.otherId);
  return { method, path: path?.(world) ?? filled, body: body?.(world) };
}

interface Cell {
  readonly name: string;
  readonly run: () => Promise<{ expected: number | string; actual: number | string }>;
}

async function judge(cells: readonly Cell[]): Promise<string[]> {
  const wrong: string[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let cell = cells[next++]; cell; cell = cells[next++]) {
        const { expected, actual } = await cell.run();
        if (actual !== expected) wrong.push(`${cell.name}: ${actual} instead of ${expected}`);
      }
    }),
  );
  return wrong;
}

function cellsOf(name: string, expectation: RouteExpectation): Cell[] {
  const { anyone, answers, inPublic = {} } = expectation;
  const places = name.includes('{roomId}') ? (['private', 'public'] as const) : (['private'] as const);
  const proved = places.flatMap((visibility) =>
    callers.map((caller) => ({
      name: `${name} as ${caller}${places.length > 1 ? ` of a ${visibility} room` : ''}`,
      run: async () => {
        const { world, token } = await makeWorld(caller, visibility, name.includes('{roomId}'));
        const { method, path, body } = requestOf(name, expectation, world);
        const { status } = await callApi(parley.url, method, path, body, bearer({ token }));
        const expected = anyone ?? (visibility === 'public' ? inPublic[caller] : undefined) ?? answers![caller];
        return { expected, actual: status };
      },
    })),
  );
  const others = unproved.map((kind) => ({
    name: `${name} as ${kind}`,
    run: async () => {
      sharedWorld ??= makeWorld('outsider', 'public');
      const world = { ...(await sharedWorld).world, unique: randomBytes(6).toString('hex') };
      const shown = await findUnproved(kind);
      const { method, path, body } = requestOf(name, expectation, world);
      const { status } = await callApi(parley.url, method, path, body, shown ? bearer(shown) : {});
      return { expected: anyone ?? (kind === 'banned' ? 403 : 401), actual: status };
    },
  }));
  return [...proved, ...others];
}

test('every route answers every kind of caller as it should', async () => {
  const { paths } = (await callApi(parley.url, 'GET', '/openapi.json')).body as {
    paths: Record<string, Record<string, unknown>>;
  };
  const served = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => method !== 'head')
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(served.filter((name) => !routes[name])).toEqual([]);
  expect(Object.keys(routes).filter((name) => !served.includes(name))).toEqual([]);
  const cells = served.flatMap((name) => cellsOf(name, routes[name]!));
  const wrong = await judge(cells);
  process.stdout.write(`matrix of routes: ${cells.length} cells of ${served.length} routes, ${wrong.length} wrong\n`);
  expect(wrong).toEqual([]);
}, 600_000);

/** Frame types as the source declares them. */
function declaredFrames(): string[] {
  const source = fileURLToPath(new URL('../../src', import.meta.url));
  return readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => [...readFileSync(`${source}/${path}`, 'utf8').matchAll(/^ +'?([\w.]+)'?: frameHandler\(/gm)])
    .map(([, type]) => type!);
}

test('every frame answers every kind of caller as it should', async () => {
  const declared = declaredFrames();
  expect(declared.length).toBeGreaterThan(5);
  expect(declared.filter((type) => !frames[type])).toEqual([]);
  const cells = declared.flatMap((type): Cell[] => {
    const { frame, answers, inPublic = {} } = frames[type]!;
    const proved = (['private', 'public'] as const).flatMap((visibility) =>
      callers.map((caller) => ({
        name: `${type} as ${caller} of a ${visibility} room`,
        run: async () => {
          const { world, token } = await makeWorld(caller, visibility);
          const socket = await openSocket(parley.url);
          const hello = await socket.ask({ type: 'hello', token });
          if (caller === 'server') return { expected: 'unauthenticated', actual: String(hello.code) };
          const answer = await socket.ask({ type, ...frame(world) });
          await socket.close();
          const expected = (visibility === 'public' ? inPublic[caller] : undefined) ?? answers[caller];
          return { expected, actual: String(answer.code ?? answer.type) };
        },
      })),
    );
    const others = unproved.map((kind) => ({
      name: `${type} as ${kind}`,
      run: async () => {
        sharedWorld ??= makeWorld('outsider', 'public');
        const world = { ...(await sharedWorld).world, unique: randomBytes(6).toString('hex') };
        const shown = await findUnproved(kind);
        const socket = await openSocket(parley.url);
        const first = await socket.ask(shown ? { type: 'hello', ...shown } : { type, ...frame(world) });
        const { code } = await socket.closed;
        const codes = { nobody: 'unauthenticated', revoked: 'unauthenticated', foreign: 'unauthenticated' };
        const refusal = { ...codes, expired: 'token_expired', banned: 'banned' }[kind];
        return { expected: `${refusal} 4001`, actual: `${first.code} ${code}` };
      },
    }));
    return [...proved, ...others];
  });
  const wrong = await judge(cells);
  process.stdout.write(`matrix of frames: ${cells.length} cells of ${declared.length} frames, ${wrong.length} wrong\n`);
  expect(wrong).toEqual([]);
}, 600_000);

/** Calls every route and frame as every kind of caller, in a private and in a public room. */
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { type CallOptions, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../../src/database/new-id.ts';
import { Health } from '../../src/gen/grpc/health/v1/health_pb.ts';
import { ServerReflection } from '../../src/gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as OldReflection } from '../../src/gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { ProcessingService } from '../../src/gen/parley/processing/v1/processing_pb.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { type Answer, callApi, openSocket } from '../harness/test-client.ts';
import {
  type Caller,
  frames,
  type RouteExpectation,
  roomRoutes,
  routes,
  rpcs,
  type Unproved,
  type World,
} from './matrix-expectations.ts';

const processingToken = 'the token of the processing port, long enough';
const jwtSecret = 'a secret of the matrix, which is long enough';
const callers: readonly Caller[] = [
  ...(['outsider', 'removed', 'shutOut'] as const),
  ...(['member', 'moderator', 'owner', 'guest', 'admin', 'server'] as const),
];
const unproved: readonly Unproved[] = ['nobody', 'expired', 'revoked', 'foreign', 'banned'];
const inMembers = new Set(['member', 'moderator', 'owner', 'removed', 'shutOut']);
/** Cells that run at the same time. */
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
    PROCESSING_TOKEN: processingToken,
    // The test is about permissions, not about limits.
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
  const { apiScopes } = await import('../../src/http/caller/caller.ts');
  const key = await callApi(parley.url, 'POST', '/v1/api-keys', { name: 'matrix', scopes: apiScopes }, bearer(admin));
  serverKey = key.body.key as string;
});
afterAll(async () => {
  await sql.end();
  await parley.end();
});

const bearer = ({ token }: { token: string }) => ({ authorization: `Bearer ${token}` });

const asServer = (method: string, path: string, body?: unknown) => mustCallAs(serverKey, method, path, body);
const asAdmin = (method: string, path: string, body?: unknown) => mustCallAs(admin.token, method, path, body);

/** Only a few rules are tried at a time; further requests are refused and repeated here. */
async function ask(method: string, path: string, body: unknown, headers: Record<string, string>): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const answer = await callApi(parley.url, method, path, body, headers);
    if (answer.status !== 503 || attempt === 100) return answer;
    await pause(100);
  }
}

async function mustCallAs(
  token: string,
  method: string,
  path: string,
  body: unknown,
): Promise<Record<string, unknown>> {
  const answer = await ask(method, path, body, bearer({ token }));
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** A user with a session, as servers make them. Written at once, because thousands are needed. */
async function makePerson(): Promise<Person> {
  const [id, sessionId] = [newId(), newId()];
  const username = `p${randomBytes(8).toString('hex')}`;
  await sql`with made as (
      insert into users (id, username, display_name, email) values (${id}, ${username}, ${username}, ${`${id}@example.org`}) returning id
    ) insert into sessions (id, user_id, by_server, expires_at) select ${sessionId}, id, true, now() + interval '1 day' from made`;
  const claims = { iss: 'parley', aud: 'parley', sub: id, sid: sessionId, role: 'user', kind: 'user' };
  return { id, token: sign(claims, jwtSecret, 'at+jwt') };
}

/** No server can open a session for an admin, so this one logs in with the first admin's password. */
async function makeAdmin(): Promise<Person> {
  const username = `a${randomBytes(8).toString('hex')}`;
  const { id } = await asServer('POST', '/v1/users', { username });
  await sql`update users set role = 'admin', email = ${`${id}@example.org`},
    password_hash = (select password_hash from users where id = ${admin.id}) where id = ${id as string}`;
  const { body } = await callApi(parley.url, 'POST', '/v1/auth/login', {
    login: username,
    password: 'a long enough one',
  });
  // Otherwise like the other callers.
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

/** These callers change nothing, so all cells share one of each kind, and one room. */
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

/** Files have no room in their address, but belong to one. */
const isInRoom = (name: string) => name.includes('{roomId}') || name.includes('/attachments/');

/** Uploads a picture. @returns its id */
async function makeFile(person: Person): Promise<string> {
  const pixel = 'R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==';
  const body = new FormData();
  body.append('file', new File([Buffer.from(pixel, 'base64')], 'pixel.gif'));
  const answer = await fetch(`${parley.url}/v1/uploads`, { method: 'POST', headers: bearer(person), body });
  return ((await answer.json()) as { id: string }).id;
}

interface Place {
  readonly world: World;
  readonly token: string;
}

/** By caller and visibility: a world for all cells that change nothing. */
const quietWorlds = new Map<string, Promise<Place>>();

/** Answers of the class 2xx, and the acks of frames, may have changed the cell's world. */
function findWorld(caller: Caller, visibility: 'private' | 'public', changes: boolean, name?: string): Promise<Place> {
  if (changes) return makeWorld(caller, visibility, name);
  const kind = `${caller} ${visibility}`;
  const known = quietWorlds.get(kind) ?? makeWorld(caller, visibility, '{roomId} /attachments/ {entryId} {ruleId}');
  quietWorlds.set(kind, known);
  return known.then((place) => ({
    ...place,
    world: { ...place.world, unique: randomBytes(6).toString('hex') },
  }));
}

/** Creates a room for the cell, with the caller's membership in it. */
async function makeWorld(caller: Caller, visibility: 'private' | 'public', name = '{roomId}'): Promise<Place> {
  const person = await (caller === 'guest' ? makeGuest() : caller === 'admin' ? makeAdmin() : makePerson());
  const [other, stranger] = [await makePerson(), await makePerson()];
  const token = caller === 'server' ? serverKey : person.token;
  const people = { otherId: other.id, strangerId: stranger.id, callerId: person.id };
  const unique = randomBytes(6).toString('hex');
  const empty = { attachmentId: '', roomId: '', messageId: '', entryId: '', ruleId: '' };
  if (!isInRoom(name)) return { world: { ...people, ...empty, unique }, token };
  const memberIds = [other.id, ...(inMembers.has(caller) ? [person.id] : [])];
  const ownerId = caller === 'owner' ? person.id : admin.id;
  const { id } = await asServer('POST', '/v1/rooms', {
    name: 'Garden',
    visibility,
    receipts: true,
    ownerId,
    memberIds,
  });
  const roomId = id as string;
  if (caller === 'moderator')
    await asServer('PATCH', `/v1/rooms/${roomId}/members/${person.id}`, { role: 'moderator' });
  if (caller === 'removed') await asServer('DELETE', `/v1/rooms/${roomId}/members/${person.id}`);
  if (caller === 'shutOut') await asAdmin('PUT', `/v1/moderation/bans/${person.id}`, { roomId });
  const attachmentIds = name.includes('/attachments/') ? [await makeFile(other)] : [];
  const poll = { question: 'Tea?', options: ['Yes', 'No'] };
  const draft = { clientId: 'first', text: 'hello', poll, attachmentIds };
  const sent = await callApi(parley.url, 'POST', `/v1/rooms/${roomId}/messages`, draft, bearer(other));
  const messageId = sent.body.id as string;
  const { entryId, ruleId } = await makeDesk(name, roomId, messageId);
  return {
    world: { ...people, unique, attachmentId: attachmentIds[0] ?? '', roomId, messageId, entryId, ruleId },
    token,
  };
}

/** Creates what the cell's moderation route needs in the room. */
async function makeDesk(name: string, roomId: string, messageId: string) {
  const rule = { kind: 'word', pattern: `w${randomBytes(6).toString('hex')}`, action: 'flag', roomId };
  const report = `/v1/rooms/${roomId}/messages/${messageId}/report`;
  const made = async (path: string, body: object) => String((await asAdmin('POST', path, body)).id);
  return {
    entryId: name.includes('{entryId}') ? await made(report, { reason: 'look at this' }) : '',
    ruleId: name.includes('{ruleId}') ? await made('/v1/moderation/rules', rule) : '',
  };
}

function requestOf(name: string, { path, body }: RouteExpectation, world: World) {
  const [method, template] = name.split(' ') as [string, string];
  const filled = template
    .replace('{roomId}', world.roomId)
    .replace('{messageId}', world.messageId)
    .replace('{userId}', world.otherId)
    .replace('{entryId}', world.entryId)
    .replace('{ruleId}', world.ruleId);
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
  const places = isInRoom(name) ? (['private', 'public'] as const) : (['private'] as const);
  const proved = places.flatMap((visibility) =>
    callers.map((caller) => ({
      name: `${name} as ${caller}${places.length > 1 ? ` of a ${visibility} room` : ''}`,
      run: async () => {
        const expected = anyone ?? (visibility === 'public' ? inPublic[caller] : undefined) ?? answers![caller];
        const changes = anyone === undefined && !name.startsWith('GET ') && expected < 400;
        const { world, token } = await findWorld(caller, visibility, changes, name);
        const { method, path, body } = requestOf(name, expectation, world);
        const { status } = await ask(method, path, body, bearer({ token }));
        return { expected, actual: status };
      },
    })),
  );
  const others = unproved.map((kind) => ({
    name: `${name} as ${kind}`,
    run: async () => {
      sharedWorld ??= makeWorld('outsider', 'public', '{roomId} {entryId} {ruleId}');
      const world = { ...(await sharedWorld).world, unique: randomBytes(6).toString('hex') };
      const shown = await findUnproved(kind);
      const { method, path, body } = requestOf(name, expectation, world);
      const { status } = await ask(method, path, body, shown ? bearer(shown) : {});
      return { expected: anyone ?? (kind === 'banned' ? 403 : 401), actual: status };
    },
  }));
  return [...proved, ...others];
}

/** The routes of the OpenAPI document, as `METHOD /path`. */
async function describedRoutes(): Promise<string[]> {
  const { paths } = (await callApi(parley.url, 'GET', '/openapi.json')).body as {
    paths: Record<string, Record<string, unknown>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => method !== 'head')
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
}

/** The frames of clients in the AsyncAPI document, by type. `hello` comes with every one of them. */
async function describedFrames(): Promise<string[]> {
  const { operations, components } = (await callApi(parley.url, 'GET', '/asyncapi.json')).body as unknown as {
    operations: { receive: { messages: { $ref: string }[] } };
    components: { messages: Record<string, { name: string }> };
  };
  const names = operations.receive.messages.map(({ $ref }) => $ref.split('/').at(-1)!);
  return names.map((name) => components.messages[name]!.name).filter((type) => type !== 'hello');
}

test('every described route and frame has a row, and every row is of a described one', async () => {
  expect((await describedRoutes()).sort()).toEqual(Object.keys(routes).sort());
  expect((await describedFrames()).sort()).toEqual(Object.keys(frames).sort());
});

test('every route gives every kind of caller the expected answer', async () => {
  const served = await describedRoutes();
  const cells = served.flatMap((name) => cellsOf(name, routes[name]!));
  const wrong = await judge(cells);
  process.stdout.write(`matrix of routes: ${cells.length} cells of ${served.length} routes, ${wrong.length} wrong\n`);
  expect(wrong).toEqual([]);
}, 600_000);

test('every moderation route of a room gives every kind of caller the expected answer', async () => {
  const { paths } = (await callApi(parley.url, 'GET', '/openapi.json')).body as {
    paths: Record<string, Record<string, unknown>>;
  };
  // All moderation routes that select a room, an entry or a rule. Lessons belong to the deployment only.
  const desk = Object.entries(paths)
    .filter(([path]) => path.startsWith('/v1/moderation/') && !path.startsWith('/v1/moderation/lessons'))
    .flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, operation]) => path.includes('{id}') || JSON.stringify(operation).includes('"roomId"'))
        .map(([method]) => `${method.toUpperCase()} ${path}`),
    );
  const plain = (name: string) => name.replace(/\{(entry|rule)Id\}/, '{id}').replace(/(\?| \{).*$/, '');
  const known = new Set(Object.keys(roomRoutes).map(plain));
  expect(desk.filter((name) => !known.has(name))).toEqual([]);
  const cells = Object.entries(roomRoutes).flatMap(([name, expectation]) => cellsOf(name, expectation));
  const wrong = await judge(cells);
  process.stdout.write(
    `matrix of rooms’ desks: ${cells.length} cells of ${known.size} routes, ${wrong.length} wrong\n`,
  );
  expect(wrong).toEqual([]);
}, 600_000);

test('every RPC gives every kind of caller the expected answer', async () => {
  const services = [ProcessingService, ServerReflection, OldReflection, Health];
  const methods = services.flatMap((service) => service.methods.map((method) => ({ service, method })));
  const nameOf = ({ service, method }: (typeof methods)[number]) => `${service.typeName}/${method.name}`;
  expect(methods.map(nameOf).sort()).toEqual(Object.keys(rpcs).sort());
  const person = await makePerson();
  const tokens: Record<string, string | undefined> = {
    nobody: undefined,
    'no scheme': processingToken,
    'another token': `Bearer ${'x'.repeat(processingToken.length)}`,
    'a part of it': `Bearer ${processingToken.slice(0, -1)}`,
    person: `Bearer ${person.token}`,
    admin: `Bearer ${admin.token}`,
    server: `Bearer ${serverKey}`,
    'an instance': `Bearer ${processingToken}`,
  };
  const transports = {
    Connect: createConnectTransport({ baseUrl: parley.processingUrl, httpVersion: '2' }),
    'gRPC-Web': createGrpcWebTransport({ baseUrl: parley.processingUrl, httpVersion: '1.1' }),
    gRPC: createGrpcTransport({ baseUrl: parley.processingUrl }),
  };
  const cells = Object.entries(transports).flatMap(([protocol, transport]) =>
    methods
      // HTTP/1.1 does not support bidirectional streams.
      .filter(({ method }) => protocol !== 'gRPC-Web' || method.methodKind !== 'bidi_streaming')
      .flatMap((each) =>
        Object.entries(tokens).map(([caller, authorization]) => ({
          name: `${nameOf(each)} by ${protocol} as ${caller}`,
          run: async () => ({
            expected: rpcs[nameOf(each)] === 'anyone' || caller === 'an instance' ? 'let in' : 'refused',
            actual: await callRpc(transport, each, authorization),
          }),
        })),
      ),
  );
  const wrong = await judge(cells);
  process.stdout.write(`matrix of RPCs: ${cells.length} cells of ${methods.length} calls, ${wrong.length} wrong\n`);
  expect(wrong).toEqual([]);
});

/** Calls with an empty request, which may be answered as invalid if the caller is permitted. */
async function callRpc(
  transport: Transport,
  { service, method }: { service: DescService; method: DescMethod },
  authorization: string | undefined,
): Promise<'let in' | 'refused'> {
  const ended = new AbortController();
  const headers = new Headers(authorization === undefined ? {} : { authorization });
  const options: CallOptions = { headers, signal: ended.signal };
  const client = createClient(service, transport) as unknown as Record<string, AnyCall>;
  try {
    const request = method.methodKind === 'bidi_streaming' ? once({}) : {};
    const answer = client[method.localName]!(request, options);
    if (method.methodKind === 'unary') await answer;
    else for await (const _ of answer as AsyncIterable<unknown>) break;
    return 'let in';
  } catch (error) {
    return ConnectError.from(error).code === Code.Unauthenticated ? 'refused' : 'let in';
  } finally {
    ended.abort();
  }
}

type AnyCall = (request: unknown, options: CallOptions) => Promise<unknown> | AsyncIterable<unknown>;

async function* once<Item>(item: Item): AsyncGenerator<Item> {
  yield item;
}

test('every frame gives every kind of caller the expected answer', async () => {
  const declared = await describedFrames();
  const cells = declared.flatMap((type): Cell[] => {
    const { frame, answers, inPublic = {} } = frames[type]!;
    const proved = (['private', 'public'] as const).flatMap((visibility) =>
      callers.map((caller) => ({
        name: `${type} as ${caller} of a ${visibility} room`,
        run: async () => {
          const expected =
            caller === 'server' ? '' : ((visibility === 'public' ? inPublic[caller] : undefined) ?? answers[caller]);
          const { world, token } = await findWorld(caller, visibility, expected === 'ack');
          const socket = await openSocket(parley.url);
          const hello = await socket.ask({ type: 'hello', token });
          if (caller === 'server') return { expected: 'unauthenticated', actual: String(hello.code) };
          const answer = await socket.ask({ type, ...frame(world) });
          await socket.close();
          return { expected, actual: String(answer.code ?? answer.type) };
        },
      })),
    );
    const others = unproved.map((kind) => ({
      name: `${type} as ${kind}`,
      run: async () => {
        sharedWorld ??= makeWorld('outsider', 'public', '{roomId} {entryId} {ruleId}');
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

/** Who may not call a route is told so before anything else, whatever is wrong with the request. */
import { beforeAll, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { type Answer, callApi, signUp, type TestUser } from '../harness/test-client.ts';

let parley: SharedParley;
let ana: TestUser;
let ended: string;
let routes: { method: string; path: string; hasBody: boolean }[];

interface Operation {
  readonly security?: unknown;
  readonly requestBody?: unknown;
}

beforeAll(async () => {
  parley = await useSharedParley();
  ana = await signUp(parley.url);
  const other = await signUp(parley.url);
  ended = other.accessToken;
  await other.call('POST', '/v1/auth/logout');
  const { paths } = (await callApi(parley.url, 'GET', '/openapi.json')).body as unknown as {
    paths: Record<string, Record<string, Operation>>;
  };
  routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([, { security }]) => security === undefined)
      .map(([method, { requestBody }]) => ({ method: method.toUpperCase(), path, hasBody: requestBody !== undefined })),
  );
});

const bad = {
  'no JSON': { type: 'application/json', body: '{' },
  'an unknown field': { type: 'application/json', body: '{"colour":"red"}' },
  'a list': { type: 'application/json', body: '[]' },
  'no body': { type: 'application/json', body: '' },
  'another type': { type: 'text/plain', body: 'x' },
  'another charset': { type: 'application/json; charset=latin1', body: '{}' },
  'more than is read': { type: 'application/json', body: `"${'x'.repeat(2_000_000)}"` },
};

async function ask(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Answer> {
  return callApi(parley.url, method, path, body, headers);
}

test.each(Object.entries(bad))(
  'every route that needs a login answers 401 to %s without one',
  async (_, { type, body }) => {
    const withBody = routes.filter(({ hasBody }) => hasBody);
    expect(withBody.length).toBeGreaterThan(20);
    const answers = await Promise.all(
      withBody.map(async ({ method, path }) => {
        const answer = await ask(method, path.replaceAll(/\{\w+\}/g, 'me'), { 'content-type': type }, body);
        return `${method} ${path} ${answer.status} ${answer.body.code}`;
      }),
    );
    expect(answers).toEqual(withBody.map(({ method, path }) => `${method} ${path} 401 unauthenticated`));
  },
);

test('the same for parameters and queries, and for logins that have ended', async () => {
  expect(routes.length).toBeGreaterThan(40);
  for (const headers of [{}, { authorization: `Bearer ${ended}` }, { authorization: 'Bearer nonsense' }]) {
    const answers = await Promise.all(
      routes.map(async ({ method, path }) => {
        const at = `${path.replaceAll(/\{\w+\}/g, '%00')}?limit=x&colour=red`;
        const answer = await ask(method, at, headers as Record<string, string>);
        return `${method} ${path} ${answer.status} ${answer.body.code}`;
      }),
    );
    expect(answers).toEqual(routes.map(({ method, path }) => `${method} ${path} 401 unauthenticated`));
  }
});

test('a caller who may is told what is wrong with the request', async () => {
  expect((await ana.call('POST', '/v1/rooms', '{')).body).toMatchObject({ code: 'invalid' });
  expect((await ana.call('POST', '/v1/rooms', { colour: 'red' })).body).toMatchObject({ code: 'invalid' });
  expect((await ana.call('GET', '/v1/rooms/nowhere')).body).toMatchObject({ errors: [{ path: '/roomId' }] });
  const typed = await ana.call('POST', '/v1/rooms', 'x', { 'content-type': 'text/plain' });
  expect(typed.body).toMatchObject({ code: 'unsupported_media_type' });
});

test('routes that need no login go on to say what is wrong, and what is not there is not there', async () => {
  expect((await ask('POST', '/v1/auth/login', { 'content-type': 'application/json' }, '{')).status).toBe(400);
  expect((await ask('POST', '/v1/auth/verify-email', { 'content-type': 'application/json' }, '{}')).status).toBe(400);
  expect((await ask('GET', '/v1/nowhere', {})).status).toBe(404);
});

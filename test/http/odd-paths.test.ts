/** Addresses that lead nowhere: over plain TCP, because clients would tidy them up. */
import { connect as connectTcp } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { createRoom, signUp } from '../harness/test-client.ts';

let parley: SharedParley;
let token: string;
let room: string;

beforeAll(async () => {
  parley = await useSharedParley();
  const ana = await signUp(parley.url);
  token = ana.accessToken;
  room = await createRoom([ana]);
});

interface Answer {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly code: unknown;
}

function request(method: string, path: string, headers = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(Number(new URL(parley.url).port), '127.0.0.1', () =>
      socket.write(`${method} ${path} HTTP/1.1\r\nhost: parley\r\nconnection: close\r\n${headers}\r\n`),
    );
    let read = '';
    socket.on('data', (chunk) => {
      read += chunk.toString('utf8');
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const [head = '', body = ''] = read.split('\r\n\r\n');
      resolve({
        status: Number(head.split(' ')[1]),
        contentType: /content-type: (.*)/i.exec(head)?.[1],
        code: body.startsWith('{') ? (JSON.parse(body) as { code: unknown }).code : undefined,
      });
    });
  });
}

const long = 'a'.repeat(2000);
const outside = [
  '/%2e%2e',
  '/%2e%2e/',
  '/%2E%2E/%2e%2e/etc/passwd',
  '/..',
  '/../',
  '/..%2f..%2fetc/passwd',
  '/%2e%2e%2f%2e%2e%2fetc/passwd',
  '/assets/%2e%2e/%2e%2e/package.json',
  '/%2e',
  '/.%2e/x',
  '/..%5c..%5cpackage.json',
  '/%00',
  '/index.html%00',
  '/assets/%00',
  '/.env',
  '/%2eenv',
  '/nowhere',
  '/v1',
  '/v1/',
  '/v1/nowhere',
  '/v1/%2e%2e',
  '/v1/rooms/%2e%2e/%2e%2e',
  '/v2/rooms',
  '//evil.example/%2f..',
  `/${long}`,
  `/v1/${long}`,
];
const ids = [
  '%00',
  'a%00b',
  long,
  '%2e%2e',
  '..%2f..',
  '%0d%0a',
  '%ed%a0%80',
  `${'%c3%a4'.repeat(500)}`,
  '%20',
  'null',
];
const malformed = ['%', '%zz', '%c3%28', '%e2%82', '%ff', '%u0041'];
const templates: readonly (readonly [string, (id: string) => string])[] = [
  ['GET', (id) => `/v1/rooms/${id}`],
  ['DELETE', (id) => `/v1/rooms/${id}`],
  ['GET', (id) => `/v1/rooms/${id}/messages`],
  ['GET', (id) => `/v1/rooms/${room}/messages/${id}`],
  ['GET', (id) => `/v1/users/${id}`],
  ['PUT', (id) => `/v1/rooms/${room}/members/${id}`],
  ['POST', (id) => `/v1/invites/${id}/accept`],
  ['GET', (id) => `/v1/auth/oauth/${id}`],

  ['DELETE', (id) => `/v1/users/me/sessions/${id}`],
  ['DELETE', (id) => `/v1/users/me/second-factors/${id}`],
  ['DELETE', (id) => `/v1/api-keys/${id}`],
  ['GET', (id) => `/v1/moderation/queue/${id}`],
  ['DELETE', (id) => `/v1/moderation/bans/${id}`],
];

test.each(outside.map((path) => [path.slice(0, 40), path]))('GET %s leads nowhere', async (_, path) => {
  for (const headers of ['', `authorization: Bearer ${token}\r\n`])
    expect(await request('GET', path, headers)).toEqual({
      status: 404,
      code: 'not_found',
      contentType: 'application/problem+json; charset=utf-8',
    });
});

test.each(
  templates.flatMap(([method, path]) => [...ids, ...malformed].map((id) => [method, path(id), path, id] as const)),
)('%s with an id that is none is a bad address or leads nowhere', async (method, _shown, path, id) => {
  const answer = await request(method, path(id), `authorization: Bearer ${token}\r\n`);
  expect([method, id.slice(0, 20), answer.status, answer.code, answer.contentType]).toEqual([
    ...[method, id.slice(0, 20), expect.toBeOneOf([400, 404]), expect.toBeOneOf(['invalid', 'not_found'])],
    'application/problem+json; charset=utf-8',
  ]);
});

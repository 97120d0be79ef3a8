/** Requests that are broken below the level of routes: over plain TCP, as no well-meaning client would send them. */
import { connect as connectTcp } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Single, startSingle } from '../harness/stack.ts';
import { signUp } from '../harness/test-client.ts';

let parley: Single;
let token: string;

beforeAll(async () => {
  parley = await startSingle({ PARLEY_HTTP_HANDLER_TIMEOUT: '5s', PARLEY_HTTP_HEADERS_TIMEOUT: '5s' });
  token = (await signUp(parley.url)).accessToken;
});
afterAll(() => parley.end());

interface Answer {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly code: unknown;
}

/** Writes these bytes and reads until the server has answered and closed; asks for the close where it would not. */
function exchange(text: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(Number(new URL(parley.url).port), '127.0.0.1', () => socket.write(text));
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

const post = (headers: string, body: string) =>
  `POST /v1/rooms HTTP/1.1\r\nhost: parley\r\nconnection: close\r\nauthorization: Bearer ${token}\r\n${headers}\r\n${body}`;
const json = 'content-type: application/json\r\n';
const room = JSON.stringify({ name: 'A room', visibility: 'private' });
const sized = (text: string) => `content-length: ${text.length}\r\n`;

// Together, since two of them wait for a timeout.
test.concurrent.each([
  ['two lengths', () => post(`${json}content-length: 2\r\ncontent-length: 3\r\n`, '{} '), 400, 'invalid'],
  [
    'a length and chunks',
    () => post(`${json}content-length: 2\r\ntransfer-encoding: chunked\r\n`, '0\r\n\r\n'),
    400,
    'invalid',
  ],
  ['no HTTP at all', () => '\x16\x03\x01\r\n\r\n', 400, 'invalid'],
  [
    'an address that cannot be read',
    () => 'GET /v1/rooms/%zz HTTP/1.1\r\nhost: parley\r\nconnection: close\r\n\r\n',
    400,
    'invalid',
  ],
  ['no JSON', () => post(json + sized('{'), '{'), 400, 'invalid'],
  ['plain text', () => post(`content-type: text/plain\r\n${sized(room)}`, room), 415, 'unsupported_media_type'],
  [
    'another charset',
    () => post(`content-type: application/json; charset=utf-16\r\n${sized(room)}`, room),
    415,
    'unsupported_media_type',
  ],
  [
    'a content encoding',
    () => post(`${json}content-encoding: gzip\r\n${sized(room)}`, room),
    415,
    'unsupported_media_type',
  ],
  ['headers beyond every size', () => post(`x-long: ${'x'.repeat(20_000)}\r\n`, ''), 431, 'headers_too_large'],
  ['headers that do not end', () => 'GET /v1/rooms HTTP/1.1\r\nx-slow: ', 408, 'request_timeout'],
  ['a body that does not end', () => post(`${json}content-length: 100\r\n`, '{"name":'), 408, 'request_timeout'],
  [
    'a socket route without an upgrade',
    () => 'GET /v1/ws HTTP/1.1\r\nhost: parley\r\nconnection: close\r\n\r\n',
    426,
    'upgrade_required',
  ],
])('%s: a problem document with its status', async (_, text, status, code) => {
  expect(await exchange(text())).toEqual({ status, code, contentType: 'application/problem+json; charset=utf-8' });
});

test.each(['h2c', 'websocket'])(
  'an offer to upgrade to %s elsewhere than at the socket is ignored',
  async (protocol) => {
    const headers = `connection: close, upgrade\r\nupgrade: ${protocol}\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n`;
    const answer = await exchange(`GET /v1/auth/providers HTTP/1.1\r\nhost: parley\r\n${headers}\r\n`);
    expect(answer).toMatchObject({ status: 200, contentType: 'application/json; charset=utf-8' });
  },
);

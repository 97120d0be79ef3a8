/** REST calls with a token. An expired token is exchanged, and the call repeated once. */
import { ParleyError } from '../parley-error.ts';
import { randomKey } from '../random-key.ts';
import type { TokenSource } from './token-source.ts';

export type Call = <Answer = void>(method: string, path: string, body?: unknown) => Promise<Answer>;

/** Where Parley is, and how to reach it. */
export interface Server {
  /** Without a slash at the end. */
  readonly url: string;
  readonly fetch: typeof fetch;
}

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly token?: string;
  /** Idempotency key. */
  readonly key?: string;
}

const timeoutMs = 15_000;

/** One call, with the token that is given, if any. @throws ParleyError */
export async function callOnce<Answer>(
  server: Server | string,
  { method, path, body, token, key }: Request,
): Promise<Answer> {
  const { url, fetch: ask } = typeof server === 'string' ? { url: server, fetch } : server;
  let response: Response;
  let text: string;
  try {
    response = await ask(url + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    text = await response.text();
  } catch {
    throw new ParleyError('offline', 'the server cannot be reached');
  }
  if (response.ok) return parseAnswer(text) as Answer;
  throw toParleyError(response, parseAnswer(text));
}

/** The refusal that an answer tells. A proxy in between may have sent it, without a code. */
export function toParleyError(
  { status, statusText }: Pick<Response, 'status' | 'statusText'>,
  { code, detail, ...details }: Readonly<Record<string, unknown>>,
): ParleyError {
  const knownCode = typeof code === 'string' ? code : status >= 500 ? 'unavailable' : 'invalid';
  return new ParleyError(knownCode, typeof detail === 'string' ? detail : statusText, details);
}

/** An empty object where the text is no JSON object. */
export function parseAnswer(text: string): Readonly<Record<string, unknown>> {
  try {
    return text === '' ? {} : (JSON.parse(text) as Readonly<Record<string, unknown>>);
  } catch {
    return {};
  }
}

/** Whether another token may help. */
export function isTokenRefused(error: unknown): boolean {
  return error instanceof ParleyError && (error.code === 'token_expired' || error.code === 'unauthenticated');
}

/** Calls with a token; where it is refused, once more with another one. */
export async function withToken<Answer>(
  tokens: TokenSource,
  call: (token: string) => Promise<Answer>,
): Promise<Answer> {
  const token = await tokens.token();
  try {
    return await call(token);
  } catch (error) {
    if (!isTokenRefused(error)) throw error;
  }
  return call(await tokens.renew(token));
}

export function createCall(server: Server | string, tokens: TokenSource): Call {
  return (method, path, body) => {
    // The same key for the repetition, so that nothing is created twice.
    const key = method === 'POST' ? { key: randomKey() } : {};
    const request = { method, path, ...(body === undefined ? {} : { body }), ...key };
    return withToken(tokens, (token) => callOnce(server, { ...request, token }));
  };
}

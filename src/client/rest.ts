/** REST calls with the session's token. An expired token is exchanged, and the call repeated once. */
import { ClientError } from './client-error.ts';
import { randomKey } from './random-key.ts';
import type { Session } from './session.ts';

export type Call = <Answer = void>(method: string, path: string, body?: unknown) => Promise<Answer>;

const timeoutMs = 15_000;

/** One call without a login. @throws ClientError */
export async function callOnce<Answer>(
  baseUrl: string,
  { method, path, body, token, key }: { method: string; path: string; body?: unknown; token?: string; key?: string },
): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(baseUrl + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch {
    throw new ClientError('offline', 'the server cannot be reached');
  }
  const text = await response.text();
  const answer = parse(text);
  if (response.ok) return answer as Answer;
  const { code, detail, ...details } = answer as { code?: string; detail?: string };
  throw new ClientError(
    code ?? (response.status >= 500 ? 'unavailable' : 'invalid'),
    detail ?? response.statusText,
    details,
  );
}

function parse(text: string): unknown {
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch {
    return {};
  }
}

export function createCall(baseUrl: string, session: Session): Call {
  return async (method, path, body) => {
    // The same key for the repetition, so that nothing is created twice.
    const key = method === 'POST' ? randomKey() : undefined;
    const request = { method, path, ...(body === undefined ? {} : { body }), ...(key === undefined ? {} : { key }) };
    const token = await session.token();
    try {
      return await callOnce(baseUrl, { ...request, token });
    } catch (error) {
      const ended =
        error instanceof ClientError && (error.code === 'token_expired' || error.code === 'unauthenticated');
      if (!ended) throw error;
      return callOnce(baseUrl, { ...request, token: await session.renew(token) });
    }
  };
}

/** Reads a JSON document from a server that the operator configured. */

const bytesMax = 512 * 1024;

/** A server that answered, but not as it should: it is there. */
export class BadAnswer extends Error {}

export interface FetchOptions {
  readonly timeoutMs: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * @returns the document
 * @throws Error for another status than 2xx, more than 512 kB, more than `timeoutMs`, a redirect, or something that is
 *   not JSON; `BadAnswer` for a status of 4xx
 */
export async function fetchJson(
  url: string,
  { timeoutMs, headers = {} }: FetchOptions,
): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    headers: { accept: 'application/json', 'user-agent': 'parley', ...headers },
    signal: AbortSignal.timeout(timeoutMs),
    redirect: 'error',
  });
  const { host } = new URL(url);
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    const text = `${host} answered ${response.status}`;
    throw response.status >= 400 && response.status < 500 ? new BadAnswer(text) : new Error(text);
  }
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body) {
    bytes += part.length;
    if (bytes > bytesMax) throw new Error(`${host} answered more than ${bytesMax} bytes`);
    parts.push(part);
  }
  return JSON.parse(Buffer.concat(parts).toString('utf8')) as Record<string, unknown>;
}

/** Reads documents from servers that the operator configured. */

const bytesMax = 512 * 1024;

/** The server answered, but not as it should. Unlike no answer, this does not count as an outage. */
export class BadAnswer extends Error {}

export interface FetchOptions {
  readonly timeoutMs: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** By default a redirect is an error. */
  readonly redirect?: 'follow';
}

export interface FetchedDocument {
  /** Media type, lower case, without parameters. */
  readonly type: string;
  readonly text: string;
}

/** @throws Error for another status than 2xx, more than 512 kB, more than `timeoutMs` or a redirect; `BadAnswer` for a status of 4xx */
export async function fetchDocument(
  url: string,
  { timeoutMs, headers = {}, redirect }: FetchOptions,
): Promise<FetchedDocument> {
  const response = await fetch(url, {
    headers: { accept: 'application/json', 'user-agent': 'parley', ...headers },
    signal: AbortSignal.timeout(timeoutMs),
    redirect: redirect ?? 'error',
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
  const type = (response.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  return { type, text: Buffer.concat(parts).toString('utf8') };
}

/** @throws as `fetchDocument`; `BadAnswer` for anything but JSON */
export async function fetchJson(url: string, options: FetchOptions): Promise<Record<string, unknown>> {
  const { text } = await fetchDocument(url, options);
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new BadAnswer(`${new URL(url).host} did not answer JSON`, { cause });
  }
}

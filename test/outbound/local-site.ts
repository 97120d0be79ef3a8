/** A web site on loopback that answers what a test tells it to, and remembers who asked for what. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LocalSite {
  readonly port: number;
  /** With the address 127.0.0.1. */
  readonly url: string;
  /** What was asked for, in order. */
  readonly requests: readonly Pick<IncomingMessage, 'url' | 'method' | 'headers'>[];
  readonly answer: (path: string, answer: RequestListener) => void;
  readonly stop: () => Promise<void>;
}

/** Pages that are not set answer 404. @param host address to listen at */
export async function startLocalSite(host = '127.0.0.1'): Promise<LocalSite> {
  const requests: Pick<IncomingMessage, 'url' | 'method' | 'headers'>[] = [];
  const answers = new Map<string, RequestListener>();
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    requests.push({ url: request.url, method: request.method, headers: request.headers });
    const answer = answers.get(request.url?.split('?')[0] ?? '');
    if (answer) answer(request, response);
    else response.writeHead(404).end('not here');
  });
  await new Promise<void>((listening) => server.listen(0, host, listening));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    requests,
    answer: (path, listener) => void answers.set(path, listener),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** Answers with a body. */
export function sends(body: string | Buffer, headers: Readonly<Record<string, string>> = {}): RequestListener {
  return (_request, response) => response.writeHead(200, { 'content-type': 'text/html', ...headers }).end(body);
}

export function redirectsTo(location: string, status = 302): RequestListener {
  return (_request, response) => response.writeHead(status, { location }).end();
}

/** What carries frames: a WebSocket or, where these are blocked, something of the same shape. */

export type TransportName = 'websocket' | 'sse';

/** The part of a WebSocket that a connection uses. */
export interface Transport {
  /** Left out: `websocket`. */
  readonly transport?: TransportName;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number }) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

/** Begins to open one. @param token for transports that need it before the first frame */
export type OpenTransport = (token: string) => Transport;

export interface Transports {
  readonly open: OpenTransport;
  /** The server can be reached, and yet a WebSocket was not opened. */
  readonly noteBlocked: () => void;
}

/** A WebSocket fails this often, while the server can be reached, before streams are used instead. */
const blockedMax = 2;

/** WebSockets, or streams where there are none or something blocks them. Once streams are used, they are until the page is loaded again. */
export function chooseTransports(webSocket: OpenTransport | undefined, stream: OpenTransport): Transports {
  let blocked = 0;
  return {
    open: (token) => (webSocket && blocked < blockedMax ? webSocket(token) : stream(token)),
    noteBlocked: () => {
      blocked += 1;
    },
  };
}

/** A class like `WebSocket`. */
export type WebSocketClass = new (url: string, protocols: string | string[]) => Transport;

export const subprotocol = 'parley.v1';

/**
 * WebSockets by the environment's own class or the one given.
 * @returns undefined where there are none, as in Node 20
 * @param version of the client: told beside the protocol, and ignored by servers that do not know it
 */
export function webSockets(
  url: string,
  Given: WebSocketClass | undefined,
  version?: string,
): OpenTransport | undefined {
  const Class = Given ?? (globalThis.WebSocket as unknown as WebSocketClass | undefined);
  if (!Class) return undefined;
  const protocols = version === undefined ? subprotocol : [subprotocol, `parley.client.${version}`];
  return () => new Class(url, protocols);
}

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

/** A class like `WebSocket`. */
export type WebSocketClass = new (url: string, protocols: string | string[]) => Transport;

export const subprotocol = 'parley.v1';

/**
 * WebSockets by the environment's own class or the one given.
 * @param version of the client: told beside the protocol, and ignored by servers that do not know it
 */
export function webSockets(url: string, Given: WebSocketClass | undefined, version?: string): OpenTransport {
  const protocols = version === undefined ? subprotocol : [subprotocol, `parley.client.${version}`];
  return () => new (Given ?? (globalThis.WebSocket as unknown as WebSocketClass))(url, protocols);
}

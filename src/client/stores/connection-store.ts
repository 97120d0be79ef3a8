/** The state of the connection, for views. */
import type { SocketState } from '../link/live-socket.ts';
import type { TransportName } from '../link/transport.ts';

export type ConnectionState =
  /** Nobody has used the client yet, or it was closed. */
  | { readonly status: 'off' }
  | { readonly status: 'connecting' }
  | { readonly status: 'online'; readonly transport: TransportName }
  /** The next attempt is made at `retryAtMs`, or as soon as the device has a network. `reason`: why the server refuses this page. */
  | { readonly status: 'offline'; readonly retryAtMs: number; readonly reason?: string }
  /** The server refuses the token, also a new one: the app has to log the user in, and to call `connect`. */
  | { readonly status: 'unauthorized' };

export function toConnection(state: SocketState): ConnectionState {
  switch (state.name) {
    case 'off':
      return { status: 'off' };
    case 'connecting':
      return { status: 'connecting' };
    case 'live':
      return { status: 'online', transport: state.transport ?? 'websocket' };
    case 'waiting': {
      const { untilMs: retryAtMs, reason } = state;
      return { status: 'offline', retryAtMs, ...(reason === undefined ? {} : { reason }) };
    }
  }
}

/**
 * One HTTP/2 connection to a processing instance, opened by the first call and again after each loss. It replaces connect-node's
 * session manager, which at times leaves a session without an `error` listener: noise in place of an answer then ends the
 * process (docs/decisions/0023-http2-session.md, test/processing/http2-session.test.ts). `Session` is the name of Node's class.
 *
 * A session is: connecting → open → retired (GOAWAY received: its calls finish, new calls open another session) or closed.
 */
import http2, { type ClientHttp2Session, type SecureClientSessionOptions } from 'node:http2';
import { Code, ConnectError } from '@connectrpc/connect';
import type { GrpcTransportOptions } from '@connectrpc/connect-node';

type SessionManager = NonNullable<GrpcTransportOptions['sessionManager']>;

export interface Http2Session extends SessionManager {
  /** Drops the connection. Calls in flight fail, and the next call opens a new connection. */
  readonly abort: () => void;
}

export function createHttp2Session(url: string, options: SecureClientSessionOptions): Http2Session {
  let current: { readonly session: ClientHttp2Session; readonly connected: Promise<void> } | undefined;

  function open(): NonNullable<typeof current> {
    const session = http2.connect(url, options);
    const { promise: connected, resolve, reject } = Promise.withResolvers<void>();
    const entry = { session, connected };
    const leave = () => {
      if (current === entry) current = undefined;
    };
    // Never removed: an error may come after the session has closed.
    session.on('error', (error) => {
      leave();
      reject(unavailable(error));
    });
    session.on('connect', () => resolve());
    session.on('goaway', leave);
    session.on('close', () => {
      leave();
      reject(unavailable());
    });
    // Handled here too, because no call may be waiting for it.
    connected.catch(leave);
    session.unref();
    return entry;
  }

  return {
    authority: new URL(url).origin,
    request: async (method, path, headers, requestOptions) => {
      current ??= open();
      const { session, connected } = current;
      await connected;
      try {
        return session.request({ ...headers, ':method': method, ':path': path }, requestOptions);
      } catch (error) {
        throw unavailable(error);
      }
    },
    notifyResponseByteRead: () => {},
    abort: () => {
      const dropped = current;
      current = undefined;
      dropped?.session.destroy(undefined, http2.constants.NGHTTP2_CANCEL);
    },
  };
}

function unavailable(cause?: unknown): ConnectError {
  return new ConnectError(
    'the connection to the processing instance was lost',
    Code.Unavailable,
    undefined,
    undefined,
    cause,
  );
}

/**
 * One HTTP/2 connection to a processing instance, made with the first call and again after each loss. Used in place of connect-node's
 * session manager, which now and then leaves a session without a listener for its errors: noise in place of an answer then ends
 * the whole process (test/processing/peer-session.test.ts).
 *
 * A session is: connecting → open → retired (it said goodbye: its calls end, new ones get another session) or gone.
 */
import http2, { type ClientHttp2Session, type SecureClientSessionOptions } from 'node:http2';
import { Code, ConnectError } from '@connectrpc/connect';
import type { GrpcTransportOptions } from '@connectrpc/connect-node';

type SessionManager = NonNullable<GrpcTransportOptions['sessionManager']>;

export interface Http2Session extends SessionManager {
  /** Drops the connection; calls in flight fail, the next one connects anew. */
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
    // For as long as the session lives, and longer: an error may come after its end.
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
    // Whether anybody waits for it or not.
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

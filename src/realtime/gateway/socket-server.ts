/** Accepts sockets and gives each a connection and a conversation. */
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import type { RawData, WebSocket } from 'ws';
import type { FeedState } from '../feed/feed.ts';
import type { Hub } from '../feed/hub.ts';
import { Connection, type ConnectionUser, closeCodes, type QueueBounds } from '../socket/connection.ts';
import { Conversation, type ConversationHost, type ConversationSettings } from './conversation.ts';
import { startFrameDeadlines } from './frame-deadlines.ts';

export interface SocketSettings extends QueueBounds, ConversationSettings {
  /** Every frame is answered within this time. */
  readonly answerTimeout: number;
}

export interface SocketMetrics {
  readonly frames: Counter<'type'>;
  readonly errors: Counter<'code'>;
  readonly closes: Counter<'code'>;
  /** Events without a seq that slow readers did not get. */
  readonly dropped: Counter;
}

export interface SocketServer {
  /**
   * @param raw the socket under `socket`
   * @param user proved by an Authorization header on the upgrade; otherwise the token in hello proves it
   */
  readonly accept: (socket: WebSocket, raw: Socket, user: ConnectionUser | undefined) => void;
  /** Sockets accepted and not yet gone. */
  readonly open: () => Iterable<Connection>;
  readonly openCount: () => number;
  /** Frames that are not answered yet, over all sockets. */
  readonly busy: () => number;
  /** Closes a connection once its frames are answered. Nothing more is read of it. */
  readonly retire: (connection: Connection, code: number, reason: string) => void;
  readonly stop: () => void;
}

export function createSocketServer<State extends FeedState>({
  hub,
  metrics,
  logger,
  settings,
  ...shared
}: {
  hub: Hub<State>;
  metrics: SocketMetrics;
  logger: Logger;
  settings: SocketSettings;
} & Pick<ConversationHost, 'greeter' | 'handlers' | 'userSockets' | 'wakeGrace'>): SocketServer {
  const open = new Map<Connection, Conversation>();
  const deadlines = startFrameDeadlines(settings.answerTimeout);
  const host: ConversationHost = { ...shared, hub, deadlines, metrics, logger, settings };
  const connectionHost = {
    bounds: settings,
    touch: hub.flushScheduler.touch,
    onClose: (code: number) => metrics.closes.inc({ code: String(code) }),
    onDrop: () => metrics.dropped.inc(),
  };

  function accept(socket: WebSocket, raw: Socket, user: ConnectionUser | undefined): void {
    const connection = new Connection(socket, raw, connectionHost, performance.now());
    connection.user = user;
    const conversation = new Conversation(connection, host);
    open.set(connection, conversation);
    socket.on('message', (data: RawData, isBinary: boolean) => conversation.onMessage(data as Buffer, isBinary));
    socket.on('ping', () => conversation.onControl());
    socket.on('pong', () => conversation.onControl());
    socket.on('close', () => {
      open.delete(connection);
      conversation.onClose();
    });
    // ws answers protocol breaches by itself (1002, 1007, 1009) and then closes.
    socket.on('error', (error: Error & { code?: string }) => {
      const code = breachCode(error.code);
      if (code !== undefined) connectionHost.onClose(code);
      logger.debug({ error: error.message }, 'socket error');
    });
  }

  return {
    accept,
    open: () => open.keys(),
    openCount: () => open.size,
    busy: deadlines.count,
    retire: (connection, code, reason) => open.get(connection)?.retire(code, reason),
    stop: deadlines.stop,
  };
}

/** The close code that `ws` uses for an error of its own; undefined: no protocol breach, the network failed. */
function breachCode(error = ''): number | undefined {
  if (!error.startsWith('WS_ERR_')) return undefined;
  if (error.endsWith('_LENGTH') && error !== 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH') return closeCodes.tooLarge;
  if (error === 'WS_ERR_TOO_MANY_BUFFERED_PARTS') return closeCodes.policy;
  return error === 'WS_ERR_INVALID_UTF8' ? closeCodes.invalidText : closeCodes.protocolBreach;
}

/**
 * Sends the clients of a chat instance elsewhere.
 *
 * States: serving → draining, for good. While it drains, the instance still answers: HTTP responses ask the client to
 * close the connection, upgrades are refused with a code, and only then does the listener close.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { EventLog } from '../../chat/events/event-log.ts';
import type { SocketServer } from '../../realtime/gateway/socket-server.ts';
import type { Connection } from '../../realtime/socket/connection.ts';

export interface ChatDrain {
  readonly isDraining: () => boolean;
  readonly begin: () => void;
  /**
   * Tells every client when to reconnect, then ends the connections evenly over `windowMs`.
   * @param end closes one connection
   */
  readonly sendAway: (windowMs: number, end: (connection: Connection) => void) => Promise<void>;
  /** Resolves when no frame is being handled and every queued send has its outcome. */
  readonly idle: () => Promise<void>;
  /** Resolves when every socket has closed. */
  readonly socketsGone: () => Promise<void>;
}

/** Connections end in at most this many steps. */
const slicesMax = 50;
const pollMs = 10;

/** @param windowMs clients reconnect at a random moment within this time */
export function createChatDrain({
  sockets,
  eventLog,
  windowMs: reconnectWindowMs,
}: {
  sockets: Pick<SocketServer, 'open' | 'openCount' | 'busy'>;
  eventLog: Pick<EventLog, 'drain'>;
  windowMs: number;
}): ChatDrain {
  let draining = false;
  return {
    isDraining: () => draining,
    begin: () => {
      draining = true;
    },
    sendAway: async (windowMs, end) => {
      const all = [...sockets.open()];
      if (all.length === 0) return;
      for (const connection of all) {
        connection.send({
          type: 'notice',
          code: 'restart',
          message: 'this server is going down; connect again',
          retryAfterMs: Math.floor(Math.random() * reconnectWindowMs),
        });
      }
      const slices = Math.max(1, Math.min(slicesMax, all.length));
      for (let slice = 0; slice < slices; slice++) {
        await pause(Math.max(0, windowMs) / slices);
        for (let at = slice; at < all.length; at += slices) end(all[at]!);
      }
    },
    idle: async () => {
      while (sockets.busy() > 0) await pause(pollMs);
      await eventLog.drain();
    },
    socketsGone: async () => {
      while (sockets.openCount() > 0) await pause(pollMs);
    },
  };
}

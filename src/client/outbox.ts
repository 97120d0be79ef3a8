/**
 * Messages that are being sent. Each keeps its `clientId` from the first attempt to the last, so that it is stored once however often it
 * is sent. It leaves the outbox only by a definite answer. Messages to a room keep their order.
 */
import { backoffMs } from './backoff.ts';
import { ClientError } from './client-error.ts';
import type { MessageParts } from './types.ts';

export interface OutboxMessage {
  readonly clientId: string;
  readonly roomId: string;
  readonly text: string;
  /** What it holds beside its text. */
  readonly parts?: MessageParts;
  /** The user who was logged in when it was written. */
  readonly senderId?: string | undefined;
}

export interface Sent {
  readonly messageId: string;
  /** 0 while `pending`. */
  readonly seq: number;
  readonly createdAt: string;
  /** Held back until it has a verdict: then `message.created` with its `clientId`, or a `notice`, follows. */
  readonly pending?: boolean;
}

export interface Outbox {
  /** Resolves when the message is stored. @throws ClientError when it never will be */
  readonly send: (message: OutboxMessage) => Promise<Sent>;
  /** Sends waiting messages now, because the connection is back. */
  readonly flush: () => void;
  readonly waiting: () => number;
}

interface Entry {
  readonly message: OutboxMessage;
  readonly resolve: (sent: Sent) => void;
  readonly reject: (error: unknown) => void;
  attempt: number;
}

/** The most messages that wait; more are refused at once. */
const waitingMax = 500;

/** @param deliver makes one attempt over the socket. @throws ClientError */
export function createOutbox(deliver: (message: OutboxMessage) => Promise<Sent>): Outbox {
  /** By room. */
  const queues = new Map<string, Entry[]>();
  const working = new Set<string>();
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  let count = 0;

  async function work(roomId: string): Promise<void> {
    if (working.has(roomId)) return;
    working.add(roomId);
    try {
      for (let entry = queues.get(roomId)?.[0]; entry; entry = queues.get(roomId)?.[0]) {
        const answer = await attempt(entry);
        if (!answer) return;
        queues.get(roomId)!.shift();
        count -= 1;
        answer();
      }
      queues.delete(roomId);
    } finally {
      working.delete(roomId);
    }
  }

  /** @returns how to answer the sender; undefined when the entry is to be tried again */
  async function attempt(entry: Entry): Promise<(() => void) | undefined> {
    try {
      const sent = await deliver(entry.message);
      return () => entry.resolve(sent);
    } catch (error) {
      if (!(error instanceof ClientError) || !error.retryable) return () => entry.reject(error);
      const { roomId } = entry.message;
      // The next connection calls `flush`, but only the answer may have been lost.
      clearTimeout(timers.get(roomId));
      timers.set(
        roomId,
        setTimeout(() => void work(roomId), backoffMs(entry.attempt++, error.retryAfterMs)),
      );
      return undefined;
    }
  }

  return {
    send: (message) =>
      new Promise((resolve, reject) => {
        if (count >= waitingMax) {
          reject(new ClientError('unavailable', 'too many messages wait to be sent'));
          return;
        }
        count += 1;
        const queue = queues.get(message.roomId) ?? [];
        queues.set(message.roomId, queue);
        queue.push({ message, resolve, reject, attempt: 0 });
        void work(message.roomId);
      }),
    flush: () => {
      for (const roomId of queues.keys()) void work(roomId);
    },
    waiting: () => count,
  };
}

/**
 * The Parley client for browsers: logs in, keeps the connection, delivers every event of every room once and in order,
 * and gets every message stored once.
 *
 * ```ts
 * const parley = createParleyClient({ baseUrl: 'https://chat.example.com' });
 * await parley.login('ana', 'her password');
 * parley.on({ onEvent: (event) => show(event) });
 * parley.connect();
 * await parley.send(roomId, 'Hello *everyone*');
 * ```
 */
import { ClientError } from './client-error.ts';
import { createLaterCalls, type LaterCalls } from './later-calls.ts';
import { LiveSocket, type SocketListener, type SocketState } from './live-socket.ts';
import { createLoginCalls, type LoginCalls } from './login-calls.ts';
import { createMessageCalls, type MessageCalls } from './message-calls.ts';
import { createModerationClient, type ModerationClient } from './moderation-client.ts';
import { createOutbox, type OutboxMessage, type Sent } from './outbox.ts';
import { createPeopleCalls, type PeopleCalls } from './people-calls.ts';
import { randomKey } from './random-key.ts';
import { type Call, callOnce, createCall } from './rest.ts';
import { createRoomCalls, type RoomCalls } from './room-calls.ts';
import { createSession, type LoginStorage, type Session } from './session.ts';
import { createThreadCalls, type ThreadCalls } from './thread-calls.ts';
import type { Attachment, CustomStatus, Login, MessageParts, OwnUser, ReadState } from './types.ts';
import { type UploadOptions, uploadFile } from './upload.ts';

export { ClientError } from './client-error.ts';
export type { LaterCalls } from './later-calls.ts';
export { withLineBreaks } from './line-breaks.ts';
export type { SocketListener, SocketState, Welcome } from './live-socket.ts';
export type { LoginCalls, NewAccount, PasskeyAnswer, SecondFactorProof } from './login-calls.ts';
export type { MessageCalls } from './message-calls.ts';
export { isInRoom } from './message-log.ts';
export type * from './moderation-client.ts';
export type { Sent } from './outbox.ts';
export type { PeopleCalls } from './people-calls.ts';
export type { HistoryPage, HistoryRange, NewRoom, Page, RoomCalls } from './room-calls.ts';
export * from './room-store.ts';
export type { LoginStorage } from './session.ts';
export type { ThreadCalls } from './thread-calls.ts';
export type * from './types.ts';
export type { UploadOptions } from './upload.ts';

export interface ClientOptions {
  /** Where Parley is, with its path behind a proxy, e.g. `https://example.com/chat`; default: the origin of the page. */
  readonly baseUrl?: string;
  /** Where the login is kept; default: `localStorage`. */
  readonly storage?: LoginStorage;
  /** Where a login through a provider is remembered until it comes back; default: `sessionStorage`. */
  readonly tabStorage?: LoginStorage;
}

export interface ParleyClient extends LoginCalls, RoomCalls, MessageCalls, ThreadCalls, LaterCalls, PeopleCalls {
  /** The user who is logged in on this device. */
  readonly user: () => OwnUser | undefined;
  /** Changes the profile, or reads it again. */
  readonly profile: (changes?: {
    displayName?: string;
    avatarUrl?: string | null;
    status?: CustomStatus | null;
  }) => Promise<OwnUser>;
  readonly logout: () => Promise<void>;
  /** Any REST call, with the login's token. */
  readonly call: Call;
  /** A call that needs no login. */
  readonly callOpen: <Answer>(method: string, path: string, body?: unknown) => Promise<Answer>;
  /** Reports, and what moderators do about them. */
  readonly moderation: ModerationClient;

  /** Listens; several may. @returns stops listening */
  readonly on: (listener: Partial<SocketListener>) => () => void;
  readonly connect: () => void;
  readonly disconnect: () => void;
  /**
   * To be called when the device woke up or changed its network: connects at once, or finds out within seconds whether the connection
   * still works.
   */
  readonly wake: () => void;
  readonly state: () => SocketState;
  /**
   * Resolves when the message is stored, however often the connection breaks until then.
   * @throws ClientError when it is refused; `unauthenticated` when its login ended before it could be sent
   */
  readonly send: (roomId: string, text: string, options?: MessageParts & { clientId?: string }) => Promise<Sent>;
  /** @returns the seq of the edit */
  readonly edit: (roomId: string, messageId: string, text: string) => Promise<number>;
  /** @returns the seq of the deletion */
  readonly remove: (roomId: string, messageId: string) => Promise<number>;
  readonly markRead: (roomId: string, seq: number) => Promise<ReadState>;
  /** The address of a file or picture that a message names. */
  readonly fileUrl: (url: string) => string;
  /** Sends a file, to be named by a message within a day. */
  readonly upload: (file: File, options?: UploadOptions) => Promise<Attachment>;
  /** Tells the room that this user is writing, or has stopped. Never fails: a lost signal does no harm. */
  readonly typing: (roomId: string, active: boolean) => void;
}

export function createParleyClient({
  baseUrl = location.origin,
  storage = localStorage,
  tabStorage,
}: ClientOptions = {}): ParleyClient {
  const { listener, on } = createListeners();
  const base = baseUrl.replace(/\/$/, '');
  const session = createSession({
    storage,
    refresh: (refreshToken) =>
      callOnce<Login>(base, { method: 'POST', path: '/v1/auth/refresh', body: { refreshToken } }),
    onEnd: listener.onEnd,
  });
  const call = createCall(base, session);
  const socket = new LiveSocket({
    url: `${base.replace(/^http/, 'ws')}/v1/ws`,
    token: session.token,
    renew: session.renew,
    explain: () => explainRefusedSocket(base),
    listener: {
      ...listener,
      onState: (state) => {
        listener.onState(state);
        if (state.name === 'live') outbox.flush();
      },
      onEnd: () => {
        session.forget();
        listener.onEnd();
      },
    },
  });
  const outbox = createOutbox((message) => deliver(message, { session, socket }));

  return {
    user: session.user,
    ...createLoginCalls({ base, session, call, tabStorage: () => tabStorage ?? sessionStorage }),
    profile: async (changes) => {
      const user = await call<OwnUser>(changes ? 'PATCH' : 'GET', '/v1/users/me', changes);
      session.update(user);
      return user;
    },
    logout: async () => {
      try {
        await call('POST', '/v1/auth/logout');
      } finally {
        socket.stop();
        session.forget();
      }
    },
    call,
    callOpen: (method, path, body) => callOnce(base, { method, path, body }),
    moderation: createModerationClient(call),
    ...createRoomCalls(call),
    ...createMessageCalls(call),
    ...createThreadCalls(call),
    ...createLaterCalls(call),
    ...createPeopleCalls(call, socket),
    fileUrl: (url) => (url.startsWith('/') ? base + url : url),
    upload: (file, options) => uploadFile({ base, session }, file, options),
    on,
    connect: () => socket.start(),
    disconnect: () => socket.stop(),
    wake: () => socket.wake(),
    state: () => socket.state,
    send: (roomId, text, { clientId = randomKey(), ...parts } = {}) =>
      outbox.send({ roomId, text, clientId, parts, senderId: session.user()?.id }),
    ...createRoomFrames(socket),
  };
}

/** Actions in a room by frames that need no outbox. */
function createRoomFrames(socket: LiveSocket): Pick<ParleyClient, 'edit' | 'remove' | 'markRead' | 'typing'> {
  return {
    edit: async (roomId, messageId, text) =>
      Number((await socket.ask({ type: 'message.edit', roomId, messageId, text })).seq),
    remove: async (roomId, messageId) => Number((await socket.ask({ type: 'message.delete', roomId, messageId })).seq),
    markRead: async (roomId, seq) => {
      const { lastReadSeq, unread, mentions } = await socket.ask({ type: 'read', roomId, seq });
      return { lastReadSeq: Number(lastReadSeq), unread: Number(unread), mentions: Number(mentions) };
    },
    typing: (roomId, active) => {
      socket.ask({ type: 'typing', roomId, active }).catch((error: unknown) => {
        if (!(error instanceof ClientError)) throw error;
      });
    },
  };
}

/** All listeners as one. */
function createListeners(): { listener: SocketListener; on: ParleyClient['on'] } {
  const listeners = new Set<Partial<SocketListener>>();
  return {
    listener: {
      onState: (state) => {
        for (const each of listeners) each.onState?.(state);
      },
      onWelcome: (welcome) => {
        for (const each of listeners) each.onWelcome?.(welcome);
      },
      onEvent: (event) => {
        for (const each of listeners) each.onEvent?.(event);
      },
      onReset: (roomId, seq) => {
        for (const each of listeners) each.onReset?.(roomId, seq);
      },
      onSignal: (frame) => {
        for (const each of listeners) each.onSignal?.(frame);
      },
      onEnd: () => {
        for (const each of listeners) each.onEnd?.();
      },
    },
    on: (added) => {
      listeners.add(added);
      return () => listeners.delete(added);
    },
  };
}

/** One attempt to send a message over the socket. @throws ClientError */
async function deliver(
  { roomId, clientId, text, parts, senderId }: OutboxMessage,
  { session, socket }: { session: Session; socket: LiveSocket },
): Promise<Sent> {
  // Another user has logged in, here or in another tab: nothing goes out in their name.
  if (session.user()?.id !== senderId)
    throw new ClientError('unauthenticated', 'the login it was written in has ended');
  const ack = await socket.ask({ type: 'message.send', roomId, clientId, text, ...parts });
  const { messageId, seq = 0, createdAt, pending } = ack;
  const sent = { messageId: String(messageId), seq: Number(seq), createdAt: String(createdAt) };
  return pending === true ? { ...sent, pending } : sent;
}

/** Why the server refuses sockets of this page; undefined where it does not, or cannot be reached. */
async function explainRefusedSocket(base: string): Promise<string | undefined> {
  try {
    await callOnce(base, { method: 'POST', path: '/v1/ws' });
    return undefined;
  } catch (error) {
    return error instanceof ClientError && error.code === 'forbidden' ? error.message : undefined;
  }
}

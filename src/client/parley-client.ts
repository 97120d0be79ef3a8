/**
 * Parley's own page and tests use this client: calls, a connection that delivers every event of every room once and in order, and an
 * outbox that gets every message stored once. It keeps no state of rooms. Apps take `index.ts`, which does, and is built on this one.
 *
 * ```ts
 * const parley = createParleyClient({ baseUrl: 'https://chat.example.com' });
 * await parley.login('ana', 'her password');
 * parley.on({ onEvent: (event) => show(event) });
 * parley.connect();
 * await parley.send(roomId, 'Hello *everyone*');
 * ```
 */
import { createBase } from './base.ts';
import { createLaterCalls, type LaterCalls } from './calls/later-calls.ts';
import { createLoginCalls, type LoginCalls } from './calls/login-calls.ts';
import { createMessageCalls, type MessageCalls } from './calls/message-calls.ts';
import { createModerationClient, type ModerationClient } from './calls/moderation-client.ts';
import { createPeopleCalls, type PeopleCalls } from './calls/people-calls.ts';
import { type Call, callOnce } from './calls/rest.ts';
import { createRoomCalls, type RoomCalls } from './calls/room-calls.ts';
import type { LoginStorage } from './calls/session.ts';
import { createThreadCalls, type ThreadCalls } from './calls/thread-calls.ts';
import type { UploadOptions, UploadSource } from './calls/upload.ts';
import type { Link, SocketListener, SocketState } from './link/live-socket.ts';
import type { Sent } from './outbox/outbox.ts';
import { ParleyError } from './parley-error.ts';
import { randomKey } from './random-key.ts';
import type { Attachment, CustomStatus, MessageParts, OwnUser, ReadState } from './types.ts';

export { afterBlock } from './blocked-users.ts';
export type { LaterCalls } from './calls/later-calls.ts';
export type { LoginCalls, NewAccount, PasskeyAnswer, SecondFactorProof } from './calls/login-calls.ts';
export type { MessageCalls } from './calls/message-calls.ts';
export type * from './calls/moderation-client.ts';
export type { PeopleCalls } from './calls/people-calls.ts';
export type { HistoryPage, HistoryRange, NewRoom, Page, RoomCalls } from './calls/room-calls.ts';
export type { LoginStorage } from './calls/session.ts';
export type { ThreadCalls } from './calls/thread-calls.ts';
export type { UploadOptions } from './calls/upload.ts';
export { withLineBreaks } from './line-breaks.ts';
export type { SocketListener, SocketState, Welcome } from './link/live-socket.ts';
export { isInRoom } from './message-log.ts';
export type { Sent } from './outbox/outbox.ts';
export { ParleyError, ParleyError as ClientError } from './parley-error.ts';
export * from './room-store.ts';
export type * from './types.ts';

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
   * @throws ParleyError when it is refused; `unauthenticated` when its login ended before it could be sent
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
  readonly upload: (file: UploadSource, options?: UploadOptions) => Promise<Attachment>;
  /** Tells the room that this user is writing, or has stopped. Never fails: a lost signal does no harm. */
  readonly typing: (roomId: string, active: boolean) => void;
}

export function createParleyClient({ baseUrl, storage, tabStorage }: ClientOptions = {}): ParleyClient {
  return createCalls(createBase({ url: baseUrl, storage, tabStorage }));
}

/** The calls of a client whose connection and logins are made already. */
export function createCalls(base: ReturnType<typeof createBase>): ParleyClient {
  const { server, session, tokens, link, outbox, call } = base;
  return {
    user: base.user,
    ...createLoginCalls({ server, session, call, tabStorage: base.tabStorage }),
    profile: async (changes) => {
      const user = await call<OwnUser>(changes ? 'PATCH' : 'GET', '/v1/users/me', changes);
      session.update(user);
      return user;
    },
    logout: async () => {
      try {
        await call('POST', '/v1/auth/logout');
      } finally {
        link.stop();
        session.forget();
      }
    },
    call,
    callOpen: (method, path, body) => callOnce(server, { method, path, body }),
    moderation: createModerationClient(call),
    ...createRoomCalls(call),
    ...createMessageCalls(call),
    ...createThreadCalls(call),
    ...createLaterCalls(call),
    ...createPeopleCalls(call, link),
    fileUrl: (url) => (url.startsWith('/') ? server.url + url : url),
    upload: async (file, options) => {
      const { uploadFile } = await import('./calls/upload.ts');
      return uploadFile({ server, tokens }, file, options);
    },
    on: base.on,
    connect: () => link.start(),
    disconnect: () => link.stop(),
    wake: () => link.wake(),
    state: () => link.state,
    send: (roomId, text, { clientId = randomKey(), ...parts } = {}) =>
      outbox.send({ roomId, text, clientId, parts, senderId: base.user()?.id }),
    ...createRoomFrames(link),
  };
}

/** Actions in a room by frames that need no outbox. */
function createRoomFrames(link: Link): Pick<ParleyClient, 'edit' | 'remove' | 'markRead' | 'typing'> {
  return {
    edit: async (roomId, messageId, text) =>
      Number((await link.ask({ type: 'message.edit', roomId, messageId, text })).seq),
    remove: async (roomId, messageId) => Number((await link.ask({ type: 'message.delete', roomId, messageId })).seq),
    markRead: async (roomId, seq) => {
      const { lastReadSeq, unread, mentions, seq: head, readVersion } = await link.ask({ type: 'read', roomId, seq });
      const counts = { lastReadSeq: Number(lastReadSeq), unread: Number(unread), mentions: Number(mentions) };
      return { ...counts, seq: Number(head), readVersion: Number(readVersion) };
    },
    typing: (roomId, active) => {
      link.ask({ type: 'typing', roomId, active }).catch((error: unknown) => {
        if (!(error instanceof ParleyError)) throw error;
      });
    },
  };
}

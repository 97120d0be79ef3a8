/**
 * `@parley/client`: a chat in an app, as live stores that any view can show.
 *
 * ```ts
 * import { createParleyClient } from '@parley/client';
 *
 * const parley = createParleyClient({ url: 'https://chat.example.com', token: () => fetchTokenFromMyBackend() });
 * const room = parley.room(roomId);
 * room.messages.subscribe(({ items }) => show(items));
 * void room.send('Hello *everyone*');
 * ```
 *
 * What is said here stays: names and shapes are added to, and not changed. Everything is `{ get, subscribe }`, with the same reference from
 * `get` until something changed, which is what `useSyncExternalStore` of React, `readable` of Svelte and the like ask for. A store loads, and
 * the client connects, when somebody begins to listen. Nothing is touched before: a server may create a client and render by `get`.
 */
import { createBase } from './base.ts';
import type { LoginCalls } from './calls/login-calls.ts';
import { createSearchCalls, type SearchCalls } from './calls/search-calls.ts';
import { createMemoryStorage, findStorage, type LoginStorage } from './calls/session.ts';
import type { UploadOptions, UploadSource } from './calls/upload.ts';
import { watchEnvironment } from './link/environment.ts';
import { findTabSharing } from './link/tab-sharing.ts';
import type { WebSocketClass } from './link/transport.ts';
import { type ParleyClient as Calls, createCalls } from './parley-client.ts';
import type { ChatEvents } from './stores/chat-events.ts';
import { ChatStores } from './stores/chat-stores.ts';
import type { ConnectionState } from './stores/connection-store.ts';
import { createDerived, type Loaded, type LoadedStore, type Store } from './stores/live-store.ts';
import type { PersonPresence } from './stores/presence-book.ts';
import type { RoomHandle } from './stores/room-handle.ts';
import type { Attachment, OwnRoom, Profile } from './types.ts';
import { version } from './version.ts';

export type * from './calls/later-calls.ts';
export type { LoginCalls, NewAccount, PasskeyAnswer, SecondFactorProof } from './calls/login-calls.ts';
export type * from './calls/message-calls.ts';
export type * from './calls/moderation-client.ts';
export type { PeopleCalls, WatchedPeople } from './calls/people-calls.ts';
export type { HistoryPage, HistoryRange, NewRoom, Page, RoomCalls } from './calls/room-calls.ts';
export type { SearchHit, SearchPage, SearchQuery } from './calls/search-calls.ts';
export type { LoginStorage } from './calls/session.ts';
export type { ThreadCalls } from './calls/thread-calls.ts';
export type { UploadOptions, UploadSource } from './calls/upload.ts';
export { withLineBreaks } from './line-breaks.ts';
export type { TransportName, WebSocketClass } from './link/transport.ts';
export type { Sent } from './outbox/outbox.ts';
export type { ParleyClient as Calls } from './parley-client.ts';
export { ParleyError } from './parley-error.ts';
export type { ChatEvents, EventName, EventOf } from './stores/chat-events.ts';
export type { ChatMessage } from './stores/chat-message.ts';
export type { ConnectionState } from './stores/connection-store.ts';
export type { Loaded, LoadedStore, LoadStatus, Store } from './stores/live-store.ts';
export type { PersonPresence } from './stores/presence-book.ts';
export type { RoomHandle, SendOptions, ThreadHandle } from './stores/room-handle.ts';
export type { MessageStore, Timeline } from './stores/timeline.ts';
export type * from './types.ts';
export { version } from './version.ts';

export interface ParleyOptions {
  /** Where Parley is, with its path behind a proxy, e.g. `https://example.com/chat`; default: the origin of the page. */
  readonly url?: string;
  /**
   * Gives a token of the app that embeds the chat (docs/embedding.md). It is asked whenever one is needed: at first, before the one in use
   * expires, and once more when the server refuses it. One question at a time. Left out: users log in by `auth`.
   */
  readonly token?: () => Promise<string>;
  /** Where the client's own login is kept; default: `localStorage`, or memory where there is none. */
  readonly storage?: LoginStorage;
  readonly fetch?: typeof fetch;
  /** A class like `WebSocket`, for environments without one. */
  readonly WebSocket?: WebSocketClass;
  /** All tabs of an origin share one connection, where the browser can do that; default: true. */
  readonly shareTabs?: boolean;
}

export interface Unread {
  /** Over all rooms. */
  readonly messages: number;
  readonly mentions: number;
  /** Rooms with unread messages. */
  readonly rooms: number;
}

export interface ParleyClient extends ChatEvents, SearchCalls {
  /** The user: of the token, or who is logged in on this device. Undefined while it is not known. */
  readonly user: Store<Profile | undefined>;
  /** The user's rooms, those with the newest messages first. */
  readonly rooms: LoadedStore<Loaded<OwnRoom>>;
  /** One room. The same id gives the same handle. */
  readonly room: (roomId: string) => RoomHandle;
  /** The presence of these users; users without a known presence are left out. At most 500 in all. */
  readonly presence: (userIds: readonly string[]) => Store<ReadonlyMap<string, PersonPresence>>;
  readonly unread: Store<Unread>;
  readonly connection: Store<ConnectionState>;
  /** Sends a file, for `attachmentIds` of a message within a day. @throws ParleyError `too_large`, `aborted`, … */
  readonly upload: (file: UploadSource, options?: UploadOptions) => Promise<Attachment>;
  /** The address of a file or picture that a message names. */
  readonly fileUrl: (url: string) => string;
  /** Signing up, logging in and out without a token of the app. */
  readonly auth: LoginCalls & Pick<Calls, 'logout'>;
  /** Everything else that the API can do: rooms, members, drafts, bookmarks, moderation. */
  readonly calls: Calls;
  /** Connects. Not needed before the first use; after `close`, and after `unauthorized`, it is. */
  readonly connect: () => void;
  /** Ends the connection, and frees what the client holds. Messages that are not sent yet stay on the device. */
  readonly close: () => void;
}

export function createParleyClient(options: ParleyOptions = {}): ParleyClient {
  const { shareTabs = true, storage = findStorage(), ...given } = options;
  const base = createBase({
    ...given,
    storage,
    tabStorage: typeof sessionStorage === 'undefined' ? createMemoryStorage() : undefined,
    version,
    sharing: shareTabs ? findTabSharing() : undefined,
    keepsMessages: true,
    onOutbox: () => chat.outboxChanged(),
  });
  const calls = createCalls(base);
  const chat = new ChatStores(base, calls);
  let stopWatching: (() => void) | undefined;

  function connect(): void {
    stopWatching ??= watchEnvironment({
      onWake: () => base.link.wake(),
      onVisible: (isVisible) => calls.showPresence(isVisible ? 'online' : 'away'),
    });
    base.link.start();
  }

  chat.onConnect = connect;
  return {
    user: chat.user,
    rooms: { ...chat.rooms.list, load: () => chat.loadRooms() },
    room: (roomId) => chat.room(roomId),
    presence: (userIds) => chat.presence.of(userIds),
    unread: createDerived([chat.rooms.list], ({ items }) => countUnread(items)),
    connection: chat.connection,
    on: chat.events.on,
    ...createSearchCalls(calls.call),
    upload: async (file, uploadOptions) => {
      const attachment = await calls.upload(file, uploadOptions);
      chat.keepUpload(attachment);
      return attachment;
    },
    fileUrl: calls.fileUrl,
    auth: createAuth(calls, chat, connect),
    calls,
    connect,
    close: () => {
      stopWatching?.();
      stopWatching = undefined;
      base.link.stop();
      base.outbox.stop();
    },
  };
}

function countUnread(rooms: readonly OwnRoom[]): Unread {
  let [messages, mentions, unreadRooms] = [0, 0, 0];
  for (const room of rooms) {
    messages += room.unread;
    mentions += room.mentions;
    if (room.unread > 0) unreadRooms += 1;
  }
  return { messages, mentions, rooms: unreadRooms };
}

/** The logins of the calls; after each of them the client connects as the new user. */
function createAuth(calls: Calls, chat: ChatStores, connect: () => void): ParleyClient['auth'] {
  const entered = <Arguments extends readonly unknown[], Answer>(call: (...given: Arguments) => Promise<Answer>) =>
    async function logIn(...given: Arguments): Promise<Answer> {
      const answer = await call(...given);
      calls.disconnect();
      chat.userChanged();
      connect();
      return answer;
    };
  return {
    register: entered(calls.register),
    claimSetup: entered(calls.claimSetup),
    login: entered(calls.login),
    secondFactor: entered(calls.secondFactor),
    passkey: entered(calls.passkey),
    upgrade: entered(calls.upgrade),
    guest: entered(calls.guest),
    beginProviderLogin: calls.beginProviderLogin,
    exchangeCode: entered(calls.exchangeCode),
    logout: async () => {
      try {
        await calls.logout();
      } finally {
        chat.userChanged();
      }
    },
  };
}

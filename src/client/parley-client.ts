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
import { createLiveSocket, type SocketListener, type SocketState } from './live-socket.ts';
import { createModerationClient, type ModerationClient } from './moderation-client.ts';
import { createOutbox, type Sent } from './outbox.ts';
import { createProviderLogins } from './provider-login.ts';
import { randomKey } from './random-key.ts';
import { type Call, callOnce, createCall } from './rest.ts';
import { createSession, type LoginStorage } from './session.ts';
import type { Login, Message, OwnRoom, OwnUser, ReadState, Room } from './types.ts';

export { ClientError } from './client-error.ts';
export { withLineBreaks } from './line-breaks.ts';
export type { SocketListener, SocketState, Welcome } from './live-socket.ts';
export type * from './moderation-client.ts';
export type { Sent } from './outbox.ts';
export type { LoginStorage } from './session.ts';
export type * from './types.ts';

export interface ClientOptions {
  /** Where Parley is; default: where the page came from. */
  readonly baseUrl?: string;
  /** Where the login is kept; default: `localStorage`. */
  readonly storage?: LoginStorage;
  /** Where a login through a provider is remembered while it is under way; default: `sessionStorage`. */
  readonly tabStorage?: LoginStorage;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

export interface HistoryPage {
  readonly messages: readonly Message[];
  readonly hasMore: boolean;
}

/** What an authenticator answered, as JSON, with the ceremony that it was asked in. */
export interface PasskeyAnswer {
  readonly ceremony: string;
  readonly response: unknown;
}

export type SecondFactorProof = { readonly code: string } | { readonly passkey: PasskeyAnswer };

export interface ParleyClient {
  /** Who is logged in on this device. */
  readonly user: () => OwnUser | undefined;
  readonly register: (account: {
    username: string;
    email: string;
    password: string;
    displayName?: string;
    /** From a setup link: the account becomes the first admin. */
    setupToken?: string;
  }) => Promise<OwnUser>;
  /** Makes the account of this device the first admin, by the token of a setup link. */
  readonly claimSetup: (setupToken: string) => Promise<OwnUser>;
  /**
   * @throws ClientError `second_factor_required` with `details.challenge` and `details.methods` where the account asks
   *   for a second step: go on with `secondFactor`
   */
  readonly login: (name: string, password: string) => Promise<OwnUser>;
  /** The second step of a login: a code of an authenticator app or a recovery code, or a passkey. */
  readonly secondFactor: (challenge: string, proof: SecondFactorProof) => Promise<OwnUser>;
  /** Logs in by a passkey alone; begin with `POST /v1/auth/passkey/options`. */
  readonly passkey: (answer: PasskeyAnswer) => Promise<OwnUser>;
  /** Makes the guest of this device a user, who keeps rooms and messages. */
  readonly upgrade: (account: {
    username: string;
    email: string;
    password: string;
    displayName?: string;
  }) => Promise<OwnUser>;
  /** Changes the profile, or reads it anew. */
  readonly profile: (changes?: { displayName?: string; avatarUrl?: string | null }) => Promise<OwnUser>;
  readonly guest: (displayName: string) => Promise<OwnUser>;
  /**
   * Begins a login through a provider, bound to this tab.
   * @param returnTo the page that takes the code; default: this one
   * @returns where the browser is to go: `location.assign(await parley.beginProviderLogin('google'))`
   */
  readonly beginProviderLogin: (provider: string, returnTo?: string) => Promise<string>;
  /**
   * Takes the code that a login through a provider came back with.
   * @throws ClientError `unauthenticated` for a code that is over, or of a login that this tab did not begin
   */
  readonly exchangeCode: (code: string) => Promise<OwnUser>;
  readonly logout: () => Promise<void>;
  /** Any REST call, with the login's token. */
  readonly call: Call;
  /** A call that needs no login. */
  readonly callOpen: <Answer>(method: string, path: string, body?: unknown) => Promise<Answer>;
  /** Reports, and for moderators the desk behind them. */
  readonly moderation: ModerationClient;
  readonly rooms: () => Promise<readonly OwnRoom[]>;
  readonly createRoom: (room: {
    name: string;
    visibility: 'public' | 'private';
    topic?: string;
    memberIds?: readonly string[];
  }) => Promise<Room>;
  readonly history: (roomId: string, range?: { before?: number; limit?: number }) => Promise<HistoryPage>;

  /** Listens; several may. @returns stops listening */
  readonly on: (listener: Partial<SocketListener>) => () => void;
  readonly connect: () => void;
  readonly disconnect: () => void;
  readonly state: () => SocketState;
  /**
   * Resolves when the message is stored, however often the connection breaks until then.
   * @throws ClientError when it is refused; `unauthenticated` when its login ended before it could be sent
   */
  readonly send: (roomId: string, text: string, options?: { clientId?: string; replyTo?: string }) => Promise<Sent>;
  /** @returns the seq of the edit */
  readonly edit: (roomId: string, messageId: string, text: string) => Promise<number>;
  /** @returns the seq of the deletion */
  readonly remove: (roomId: string, messageId: string) => Promise<number>;
  readonly markRead: (roomId: string, seq: number) => Promise<ReadState>;
  /** Tells the room that one is writing, or has stopped. Never fails: nobody misses it. */
  readonly typing: (roomId: string, active: boolean) => void;
}

export function createParleyClient({
  baseUrl = location.origin,
  storage = localStorage,
  tabStorage,
}: ClientOptions = {}): ParleyClient {
  const listeners = new Set<Partial<SocketListener>>();
  const base = baseUrl.replace(/\/$/, '');
  const session = createSession({
    storage,
    refresh: (refreshToken) =>
      callOnce<Login>(base, { method: 'POST', path: '/v1/auth/refresh', body: { refreshToken } }),
    onEnd: () => tell((listener) => listener.onEnd?.()),
  });
  const call = createCall(base, session);
  const providerLogins = createProviderLogins(base, () => tabStorage ?? sessionStorage);
  const socket = createLiveSocket({
    url: `${base.replace(/^http/, 'ws')}/v1/ws`,
    token: session.token,
    renew: session.renew,
    explain: explainSocket,
    listener: {
      onState: (state) => {
        tell((listener) => listener.onState?.(state));
        if (state.name === 'live') outbox.flush();
      },
      onWelcome: (welcome) => tell((listener) => listener.onWelcome?.(welcome)),
      onEvent: (event) => tell((listener) => listener.onEvent?.(event)),
      onReset: (roomId, seq) => tell((listener) => listener.onReset?.(roomId, seq)),
      onSignal: (frame) => tell((listener) => listener.onSignal?.(frame)),
      onEnd: () => {
        session.forget();
        tell((listener) => listener.onEnd?.());
      },
    },
  });
  const outbox = createOutbox(async ({ roomId, clientId, text, replyTo, senderId }) => {
    // Somebody else has logged in, here or in another tab: nothing goes out in their name.
    if (session.user()?.id !== senderId)
      throw new ClientError('unauthenticated', 'the login it was written in has ended');
    const ack = await socket.ask({
      type: 'message.send',
      roomId,
      clientId,
      text,
      ...(replyTo === undefined ? {} : { replyTo }),
    });
    const { messageId, seq = 0, createdAt, pending } = ack;
    const sent = { messageId: String(messageId), seq: Number(seq), createdAt: String(createdAt) };
    return pending === true ? { ...sent, pending } : sent;
  });

  function tell(what: (listener: Partial<SocketListener>) => void): void {
    for (const listener of listeners) what(listener);
  }

  async function explainSocket(): Promise<string | undefined> {
    try {
      await callOnce(base, { method: 'POST', path: '/v1/ws' });
      return undefined;
    } catch (error) {
      return error instanceof ClientError && error.code === 'forbidden' ? error.message : undefined;
    }
  }

  async function enter(path: string, body: unknown): Promise<OwnUser> {
    const login = await callOnce<Login>(base, { method: 'POST', path, body });
    session.keep(login);
    return login.user;
  }

  /** The login of this device goes on with what its account has become. */
  async function becomeBy(path: string, body: unknown): Promise<OwnUser> {
    const login = await call<Login>('POST', path, body);
    session.keep(login);
    return login.user;
  }

  return {
    user: session.user,
    register: (account) => enter('/v1/auth/register', account),
    login: (name, password) => enter('/v1/auth/login', { login: name, password }),
    secondFactor: (challenge, proof) => enter('/v1/auth/second-factor', { challenge, ...proof }),
    passkey: (answer) => enter('/v1/auth/passkey', answer),
    claimSetup: (setupToken) => becomeBy('/v1/auth/setup', { setupToken }),
    upgrade: (account) => becomeBy('/v1/auth/upgrade', account),
    profile: async (changes) => {
      const user = await call<OwnUser>(changes ? 'PATCH' : 'GET', '/v1/users/me', changes);
      session.update(user);
      return user;
    },
    guest: (displayName) => enter('/v1/auth/guest', { displayName }),
    beginProviderLogin: (provider, returnTo = location.origin + location.pathname) =>
      providerLogins.begin(provider, returnTo),
    exchangeCode: async (code) => enter('/v1/auth/oauth/token', providerLogins.finish(code)),
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
    rooms: async () => {
      const rooms: OwnRoom[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page: Page<OwnRoom> = await call(
          'GET',
          `/v1/rooms?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
        );
        rooms.push(...page.items);
        cursor = page.nextCursor;
      }
      return rooms;
    },
    createRoom: (room) => call('POST', '/v1/rooms', room),
    history: (roomId, { before, limit = 50 } = {}) =>
      call('GET', `/v1/rooms/${roomId}/messages?limit=${limit}${before === undefined ? '' : `&before=${before}`}`),
    on: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    connect: socket.start,
    disconnect: socket.stop,
    state: socket.state,
    send: (roomId, text, { clientId = randomKey(), replyTo } = {}) =>
      outbox.send({
        roomId,
        text,
        clientId,
        senderId: session.user()?.id,
        ...(replyTo === undefined ? {} : { replyTo }),
      }),
    edit: async (roomId, messageId, text) =>
      Number((await socket.ask({ type: 'message.edit', roomId, messageId, text })).seq),
    remove: async (roomId, messageId) => Number((await socket.ask({ type: 'message.delete', roomId, messageId })).seq),
    markRead: async (roomId, seq) => (await socket.ask({ type: 'read', roomId, seq })) as unknown as ReadState,
    typing: (roomId, active) => {
      socket.ask({ type: 'typing', roomId, active }).catch((error: unknown) => {
        if (!(error instanceof ClientError)) throw error;
      });
    },
  };
}

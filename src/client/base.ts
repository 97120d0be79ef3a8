/** What every client is made of: the server, the source of tokens, the connection, and the outbox. Wires them, and decides nothing. */
import { type Call, callOnce, createCall, type Server } from './calls/rest.ts';
import { createSession, type LoginStorage, type Session } from './calls/session.ts';
import { createHostTokens, readClaims, type TokenSource } from './calls/token-source.ts';
import { asAlone, LateLink, type SharedLink } from './link/late-link.ts';
import { LateTransport } from './link/late-transport.ts';
import { createListeners, type Listeners } from './link/listeners.ts';
import { type Link, LiveSocket, type MakeLink } from './link/live-socket.ts';
import type { TabLinkOptions, TabSharing } from './link/tab-link.ts';
import { chooseTransports, type WebSocketClass, webSockets } from './link/transport.ts';
import { createOutbox, type Outbox, type OutboxMessage, type OutboxNews, type Sent } from './outbox/outbox.ts';
import { ParleyError } from './parley-error.ts';
import type { Login, OwnUser } from './types.ts';

export interface BaseOptions {
  /** Where Parley is, with its path behind a proxy; default: the origin of the page. */
  readonly url?: string | undefined;
  /** Tokens of the app that embeds the chat; without it the client's own logins are used. */
  readonly token?: (() => Promise<string>) | undefined;
  readonly storage?: LoginStorage | undefined;
  readonly tabStorage?: LoginStorage | undefined;
  readonly fetch?: typeof fetch | undefined;
  readonly WebSocket?: WebSocketClass | undefined;
  /** Of the client, told to the server. */
  readonly version?: string;
  /** How tabs share one connection; left out: each has its own. */
  readonly sharing?: TabSharing | undefined;
  /** Messages outlive the page. A shelf is opened once the user is known. */
  readonly keepsMessages?: boolean;
  readonly onOutbox?: () => void;
}

export interface Base extends Pick<Listeners, 'on'> {
  readonly server: Server;
  readonly session: Session;
  readonly tokens: TokenSource;
  readonly call: Call;
  readonly link: Link;
  readonly outbox: Outbox;
  readonly tabStorage: () => LoginStorage;
  /** The user of this client, as far as it is known. */
  readonly user: () => OwnUser | undefined;
}

export function createBase(options: BaseOptions): Base {
  const { listener, on } = createListeners();
  const server = toServer(options);
  const session = createSession({
    storage: options.storage ?? localStorage,
    refresh: (refreshToken) =>
      callOnce<Login>(server, { method: 'POST', path: '/v1/auth/refresh', body: { refreshToken } }),
    onEnd: listener.onEnd,
  });
  const tokens = options.token ? createHostTokens(options.token) : session;
  /** Of a host's token: told by the welcome. */
  let hostUser: OwnUser | undefined;
  const user = () => (options.token ? hostUser : session.user());

  const makeLink = createLinkMaker({ options, server, tokens });
  const link = createLink({
    options,
    makeLink,
    listener: {
      ...listener,
      onState: (state) => {
        listener.onState(state);
        if (state.name === 'live') outbox.flush();
      },
      onWelcome: (welcome) => {
        hostUser = welcome.user as unknown as OwnUser;
        listener.onWelcome(welcome);
      },
      onEnd: () => {
        if (!options.token) session.forget();
        listener.onEnd();
      },
    },
    name: () => nameOf({ server, session, tokens, isHosted: options.token !== undefined }),
    onNews: (news) => outbox.hear(news as OutboxNews),
    // The tab that led may have ended before it told of a message.
    onLead: (isLeading) => isLeading && outbox.hear({ kind: 'changed' }),
  });
  const outbox = createOutbox({
    deliver: (message) => deliver(message, { userId: user()?.id, link }),
    needsShelf: options.keepsMessages === true,
    isSender: () => link.isLeading(),
    tell: (news) => link.tell(news),
    ...(options.onOutbox ? { onChange: options.onOutbox } : {}),
  });
  const tabStorage = () => options.tabStorage ?? sessionStorage;
  return { server, session, tokens, call: createCall(server, tokens), link, outbox, tabStorage, user, on };
}

function toServer({ url = location.origin, fetch: given }: BaseOptions): Server {
  // Called through an arrow: some environments refuse a `fetch` that is called on another object.
  return { url: url.replace(/\/+$/, ''), fetch: (input, init) => (given ?? fetch)(input, init) };
}

function createLinkMaker({
  options,
  server,
  tokens,
}: {
  options: BaseOptions;
  server: Server;
  tokens: TokenSource;
}): MakeLink {
  const transports = chooseTransports(
    webSockets(`${server.url.replace(/^http/, 'ws')}/v1/ws`, options.WebSocket, options.version),
    (token) =>
      new LateTransport(
        import('./stream/event-stream.ts').then(
          ({ EventStream }) =>
            () =>
              new EventStream(server, token),
        ),
      ),
  );
  return (listener, position) =>
    new LiveSocket({
      open: transports.open,
      token: tokens.token,
      renew: tokens.renew,
      dueInMs: tokens.dueInMs,
      explain: () => explainRefusedSocket(server, transports.noteBlocked),
      listener,
      ...(position ? { position } : {}),
    });
}

function createLink({
  options: { sharing },
  makeLink,
  ...parts
}: { options: BaseOptions } & Omit<TabLinkOptions, 'sharing'>): SharedLink {
  const { listener } = parts;
  if (!sharing) return asAlone(makeLink(listener));
  return new LateLink(listener, () =>
    import('./link/tab-link.ts').then(
      ({ TabLink }) => new TabLink({ sharing, makeLink, ...parts }),
      // Without a network the code may not come, and this tab tries alone.
      () => asAlone(makeLink(listener)),
    ),
  );
}

/** Tabs with the same name may share what one of them hears: the same server, and the same user. */
async function nameOf({
  server,
  session,
  tokens,
  isHosted,
}: {
  server: Server;
  session: Session;
  tokens: TokenSource;
  isHosted: boolean;
}): Promise<string | undefined> {
  if (!isHosted) return session.user() && `parley ${server.url} ${session.user()!.id}`;
  const { iss, sub } = readClaims(await tokens.token());
  return sub === undefined ? undefined : `parley ${server.url} ${String(iss)} ${String(sub)}`;
}

/** One attempt to send a message over the connection. @throws ParleyError */
async function deliver(
  { roomId, clientId, text, parts, senderId }: OutboxMessage,
  { userId, link }: { userId: string | undefined; link: Link },
): Promise<Sent> {
  // Another user has logged in, here or in another tab: nothing goes out in their name.
  if (userId !== senderId) throw new ParleyError('unauthenticated', 'the login it was written in has ended');
  const ack = await link.ask({ type: 'message.send', roomId, clientId, text, ...parts });
  const { messageId, seq = 0, createdAt, pending } = ack;
  const sent = { messageId: String(messageId), seq: Number(seq), createdAt: String(createdAt) };
  return pending === true ? { ...sent, pending } : sent;
}

/**
 * Why the server refuses sockets of this page; undefined where it does not, or cannot be reached.
 * @param onBlocked called when the server would accept a socket: something on the way does not let it pass
 */
async function explainRefusedSocket(server: Server, onBlocked: () => void): Promise<string | undefined> {
  try {
    await callOnce(server, { method: 'POST', path: '/v1/ws' });
    onBlocked();
    return undefined;
  } catch (error) {
    return error instanceof ParleyError && error.code === 'forbidden' ? error.message : undefined;
  }
}

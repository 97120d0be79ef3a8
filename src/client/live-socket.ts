/**
 * The socket that stays: says hello, resumes where it was, and comes back by itself.
 *
 * States: off → connecting → live, and from there or from a failed attempt → waiting (until the next attempt) → connecting. What it
 * hands on is each room's events in seq order, each once; where that cannot be, the room is reset and says so.
 */
import { backoffMs } from './backoff.ts';
import { ClientError } from './client-error.ts';
import type { RoomEvent, ServerFrame, WelcomeRoom } from './types.ts';

export type SocketState =
  | { readonly name: 'off' }
  | { readonly name: 'connecting' }
  | { readonly name: 'live' }
  /** `reason`: why the server refuses this page; it is asked again all the same. */
  | { readonly name: 'waiting'; readonly untilMs: number; readonly reason?: string };

export interface Welcome {
  readonly user: Readonly<Record<string, unknown>>;
  readonly rooms: readonly WelcomeRoom[];
  /** Code points of a message at most; older servers do not say it. */
  readonly messageLengthMax?: number;
}

export interface SocketListener {
  readonly onState: (state: SocketState) => void;
  /** The rooms as of now; their events follow. */
  readonly onWelcome: (welcome: Welcome) => void;
  readonly onEvent: (event: RoomEvent) => void;
  /** Events were left out: read the history of the room anew; live events go on after `seq`. */
  readonly onReset: (roomId: string, seq: number) => void;
  /** `typing`, `read.updated`, `room.joined`, `room.left`, `notice`. */
  readonly onSignal: (frame: ServerFrame) => void;
  /** The login has ended. */
  readonly onEnd: () => void;
}

export interface LiveSocket {
  readonly start: () => void;
  readonly stop: () => void;
  /** Sends a frame and resolves with its answer. @throws ClientError; `offline` when the answer did not come */
  readonly ask: (frame: Readonly<Record<string, unknown>>) => Promise<ServerFrame>;
  readonly state: () => SocketState;
}

/** Closes after which there is no use in coming back without a new login. */
const finalCloses = new Set([1008, 4001, 4003]);
const answerTimeoutMs = 10_000;
/** A hello is 8 kB at most, token and all; the rooms that were active last are named. */
const resumeRoomsMax = 100;

interface Waiting {
  readonly resolve: (frame: ServerFrame) => void;
  readonly reject: (error: ClientError) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

export function createLiveSocket({
  url,
  token,
  renew,
  explain = async () => undefined,
  listener,
  Socket = WebSocket,
}: {
  /** `ws://…/v1/ws` */
  url: string;
  token: () => Promise<string>;
  /** Another token in place of a refused one. */
  renew: (refused: string) => Promise<string>;
  /** Why the server refuses sockets of this page; undefined where it does not, or cannot be asked. */
  explain?: () => Promise<string | undefined>;
  listener: SocketListener;
  Socket?: typeof WebSocket;
}): LiveSocket {
  const positions = new Map<string, number>();
  const waiting = new Map<string, Waiting>();
  /** The rooms that the last hello resumes, and from where. */
  let named: ReadonlyMap<string, number> = new Map();
  let logId: string | undefined;
  let state: SocketState = { name: 'off' };
  let socket: WebSocket | undefined;
  let attempt = 0;
  let askedMs = 0;
  let nextId = 0;
  let usedToken = '';
  let refusals = 0;
  let wake: ReturnType<typeof setTimeout> | undefined;
  let heartbeat: ReturnType<typeof setInterval> | undefined;

  function become(next: SocketState): void {
    state = next;
    listener.onState(next);
  }

  async function connect(): Promise<void> {
    become({ name: 'connecting' });
    try {
      usedToken = await token();
    } catch (error) {
      if (state.name !== 'connecting') return;
      if (error instanceof ClientError && error.retryable) comeBack();
      else end();
      return;
    }
    if (state.name !== 'connecting') return;
    const opened = new Socket(url, 'parley.v1');
    socket = opened;
    // Where nothing answers, neither an opening nor an error may come for minutes.
    const late = setTimeout(() => drop(opened), answerTimeoutMs);
    let isOpen = false;
    opened.onopen = () => {
      isOpen = true;
      clearTimeout(late);
      void hello(opened);
    };
    opened.onmessage = ({ data }) => {
      if (socket === opened) receive(JSON.parse(String(data)) as ServerFrame);
    };
    opened.onclose = ({ code }) => {
      clearTimeout(late);
      if (socket !== opened) return;
      closed(code);
      if (!isOpen) void findReason();
    };
  }

  /** A browser does not say why an upgrade was refused, so the server is asked. */
  async function findReason(): Promise<void> {
    const reason = await explain().catch(() => undefined);
    if (state.name === 'waiting' && reason !== undefined) become({ ...state, reason });
  }

  /** Lets go of a socket at once: its own close may wait long for a peer that is not there. */
  function drop(dropped: WebSocket | undefined): void {
    if (!dropped || socket !== dropped) return;
    dropped.close();
    closed(1006);
  }

  async function hello(opened: WebSocket): Promise<void> {
    named = new Map(logId === undefined ? [] : [...positions].slice(-resumeRoomsMax));
    const resume = logId === undefined ? undefined : { logId, rooms: Object.fromEntries(named) };
    try {
      await send(opened, { type: 'hello', token: usedToken, ...(resume ? { resume } : {}) });
    } catch (error) {
      if (error instanceof ClientError) askedMs = Math.max(askedMs, error.retryAfterMs ?? 0);
      // A refusal is followed by a close that says why; silence is not.
      if (error instanceof ClientError && error.code === 'offline') drop(opened);
    }
  }

  function welcomed(frame: ServerFrame): void {
    const { rooms, user, messageLengthMax, heartbeatMs } = frame as unknown as Welcome & { heartbeatMs: number };
    attempt = 0;
    askedMs = 0;
    refusals = 0;
    logId = String(frame.logId);
    listener.onWelcome({ user, rooms, messageLengthMax });
    // A room that was not named in the resume goes on from the snapshot; what was missed in it is to be read.
    for (const { id, seq, readableFrom } of rooms) {
      const position = positions.get(id);
      if (named.has(id)) {
        // Left and joined again meanwhile: the events go on from where one may read.
        if (position !== undefined && position < readableFrom - 1) {
          positions.set(id, readableFrom - 1);
          listener.onReset(id, readableFrom - 1);
        }
        continue;
      }
      positions.set(id, seq);
      if (position !== undefined && position < seq) listener.onReset(id, seq);
    }
    become({ name: 'live' });
    clearInterval(heartbeat);
    const asked = socket;
    heartbeat = setInterval(() => void keepAlive().catch(() => drop(asked)), heartbeatMs);
  }

  /** A sign of life, and a newer token as soon as there is one: so the connection outlives the one it began with. */
  async function keepAlive(): Promise<void> {
    const newest = await token().catch(() => usedToken);
    if (newest === usedToken) await ask({ type: 'ping' });
    else await ask({ type: 'refresh', token: newest });
    usedToken = newest;
  }

  function receive(frame: ServerFrame): void {
    const asked = frame.id === undefined ? undefined : waiting.get(String(frame.id));
    if (asked && ['ack', 'welcome', 'error'].includes(frame.type)) {
      settle(String(frame.id));
      // Now, not when its promise is looked at: the events after it may be in the same packet.
      if (frame.type === 'welcome') welcomed(frame);
      if (frame.type !== 'error') asked.resolve(frame);
      else asked.reject(new ClientError(frame.code ?? 'internal', frame.message ?? 'refused', frame));
      return;
    }
    if (frame.type === 'room.reset' && frame.roomId !== undefined) {
      positions.set(frame.roomId, frame.seq ?? 0);
      listener.onReset(frame.roomId, frame.seq ?? 0);
    } else if (frame.roomId !== undefined && frame.seq !== undefined) takeEvent(frame as unknown as RoomEvent);
    else {
      if (frame.type === 'room.left') positions.delete(frame.roomId!);
      if (frame.type === 'notice' && frame.retryAfterMs !== undefined) askedMs = frame.retryAfterMs;
      listener.onSignal(frame);
    }
  }

  function takeEvent(event: RoomEvent): void {
    const position = positions.get(event.roomId);
    if (position !== undefined && event.seq <= position) return;
    if (position !== undefined && event.seq > position + 1) {
      // Never a silent gap: resume from where everything was complete.
      drop(socket);
      return;
    }
    // Set anew, so that the order of the map is the order of activity.
    positions.delete(event.roomId);
    positions.set(event.roomId, event.seq);
    listener.onEvent(event);
  }

  function settle(id: string): void {
    clearTimeout(waiting.get(id)?.timer);
    waiting.delete(id);
  }

  function send(to: WebSocket, frame: Readonly<Record<string, unknown>>): Promise<ServerFrame> {
    return new Promise((resolve, reject) => {
      const id = `${nextId++}`;
      const timer = setTimeout(() => {
        settle(id);
        reject(new ClientError('offline', 'the server did not answer'));
      }, answerTimeoutMs);
      waiting.set(id, { resolve, reject, timer });
      to.send(JSON.stringify({ ...frame, id }));
    });
  }

  async function ask(frame: Readonly<Record<string, unknown>>): Promise<ServerFrame> {
    if (state.name !== 'live' || !socket) throw new ClientError('offline', 'not connected');
    return send(socket, frame);
  }

  function closed(code: number): void {
    socket = undefined;
    clearInterval(heartbeat);
    for (const [id, { reject }] of waiting) {
      settle(id);
      reject(new ClientError('offline', 'the connection was lost'));
    }
    if (state.name === 'off') return;
    // A token may end while it is in use: one try with another.
    if (code === 4001 && refusals === 0) {
      refusals += 1;
      void renew(usedToken).then(connect, (error: unknown) => {
        if (error instanceof ClientError && error.retryable) comeBack();
        else end();
      });
      return;
    }
    if (finalCloses.has(code)) end();
    else comeBack();
  }

  function comeBack(): void {
    const pauseMs = backoffMs(attempt, askedMs);
    attempt += 1;
    askedMs = 0;
    become({ name: 'waiting', untilMs: Date.now() + pauseMs });
    clearTimeout(wake);
    wake = setTimeout(() => void connect(), pauseMs);
  }

  function end(): void {
    stop();
    listener.onEnd();
  }

  function stop(): void {
    clearTimeout(wake);
    clearInterval(heartbeat);
    const open = socket;
    socket = undefined;
    positions.clear();
    logId = undefined;
    become({ name: 'off' });
    open?.close(1000);
  }

  return {
    start: () => {
      if (state.name === 'off') void connect();
      else if (state.name === 'waiting') {
        // Back from sleep, or back online: no use in waiting longer.
        clearTimeout(wake);
        void connect();
      }
    },
    stop,
    ask,
    state: () => state,
  };
}

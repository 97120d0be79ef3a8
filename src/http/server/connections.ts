/**
 * The HTTP/1.1 connections of a server: one request of each at a time, and an end in good time when the server drains.
 *
 * Node calls the handlers of pipelined requests as fast as it parses them. Whatever closes the connection (a drain, a request whose
 * body is broken) would leave requests behind it done and unanswered. Here the next request begins when the one before it was
 * answered, and never if that answer closed the connection.
 *
 * A connection is: idle (silent, between two requests, or in the middle of a request's headers) → busy (a request was begun) → idle …
 * → closed. When the server drains, idle connections are closed at once; a request that has not arrived whole gets the rest of its own
 * time; one that is being worked on is answered.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface Connections {
  /** Watches the connections that this server accepts from now on. */
  readonly watch: (server: Server) => void;
  readonly add: (socket: Socket) => void;
  /** A request of this connection was begun and is not answered yet. */
  readonly isBusy: (socket: Socket) => boolean;
  /** Calls `start` when the requests before this one were answered; not at all if the connection ends before. */
  readonly begin: (request: IncomingMessage, response: ServerResponse, start: () => void) => void;
  /** The connection carries something that is no request. Calls `answer`, which closes it, when the requests before were answered. */
  readonly refuse: (socket: Socket, answer: () => void) => void;
  /** Begins to close the connections, now and as they become idle. The server's own `close` waits for the last one. */
  readonly drain: () => void;
  /** Ends all connections at once. */
  readonly destroyAll: () => void;
}

export interface ConnectionsOptions {
  /** A request arrives whole within this time. */
  readonly requestTimeoutMs: number;
  /** Refuses a request that did not, and closes its connection. */
  readonly onRequestTimeout: (socket: Socket) => void;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly start: () => void;
}

interface State {
  current: Exchange | undefined;
  currentSinceMs: number;
  /** Parsed behind the current one. */
  held: Exchange[];
  /** What comes behind these is not read. */
  refuse: (() => void) | undefined;
}

/** Requests parsed ahead of one connection. Node reads up to 64 kB at once, however small they are. */
const heldMax = 64;

export function createConnections({ requestTimeoutMs, onRequestTimeout }: ConnectionsOptions): Connections {
  const states = new Map<Socket, State>();
  const upgraded = new WeakSet<Socket>();
  let draining = false;

  function add(socket: Socket): void {
    if (draining) {
      socket.destroy();
      return;
    }
    stateOf(socket);
  }

  function stateOf(socket: Socket): State {
    const known = states.get(socket);
    if (known) return known;
    const state: State = { current: undefined, currentSinceMs: 0, held: [], refuse: undefined };
    states.set(socket, state);
    socket.once('close', () => states.delete(socket));
    return state;
  }

  function begin(request: IncomingMessage, response: ServerResponse, start: () => void): void {
    const { socket } = request;
    // Upgraded connections carry no further requests, and end in their own way.
    if (upgraded.has(socket)) {
      start();
      return;
    }
    const state = stateOf(socket);
    const exchange = { request, response, start };
    if (!state.current) run(socket, state, exchange);
    else if (state.held.length < heldMax && !state.refuse) {
      state.held.push(exchange);
      socket.pause();
    } else state.refuse ??= () => socket.destroySoon();
  }

  function run(socket: Socket, state: State, exchange: Exchange): void {
    state.current = exchange;
    state.currentSinceMs = performance.now();
    exchange.response.once('close', () => answered(socket, state));
    if (draining) limit(socket, state);
    exchange.start();
  }

  function answered(socket: Socket, state: State): void {
    state.current = undefined;
    const next = state.held.shift();
    // The answer closed the connection: what was held is not done.
    if (!socket.writable) state.held = [];
    else if (next && (next.request.complete || !state.refuse)) run(socket, state, next);
    else if (state.refuse) {
      state.held = [];
      state.refuse();
    } else if (draining) socket.destroySoon();
    else if (socket.isPaused()) socket.resume();
  }

  function refuse(socket: Socket, answer: () => void): void {
    const state = states.get(socket);
    // A request that is complete was not the one that could not be read.
    if (state?.current?.request.complete) state.refuse ??= answer;
    else answer();
  }

  /** What is left of its own time for a request that is not there yet. */
  function limit(socket: Socket, state: State): void {
    const { current } = state;
    if (!current || current.request.complete) return;
    const leftMs = Math.max(0, state.currentSinceMs + requestTimeoutMs - performance.now());
    const timer = setTimeout(() => {
      if (state.current === current && !current.request.complete) onRequestTimeout(socket);
    }, leftMs);
    socket.once('close', () => clearTimeout(timer));
  }

  function drain(): void {
    draining = true;
    for (const [socket, state] of states) {
      if (state.current) limit(socket, state);
      else socket.destroy();
    }
  }

  return {
    watch: (server) => {
      server.on('connection', add);
      // Before those who take the connection over.
      server.prependListener('upgrade', (_request, socket: Socket) => {
        upgraded.add(socket);
        states.delete(socket);
      });
    },
    add,
    isBusy: (socket) => states.get(socket)?.current !== undefined,
    begin,
    refuse,
    drain,
    destroyAll: () => {
      for (const socket of states.keys()) socket.destroy();
    },
  };
}

/**
 * The HTTP/1.1 connections of a server. Each handles one request at a time and closes in time when the server drains.
 *
 * Node calls the handlers of pipelined requests as fast as it parses them. If a drain or a broken body closed the connection,
 * later requests would be done but not answered. Here a request starts when the one before it was answered, and never if that
 * answer closed the connection.
 *
 * States: idle (silent, between two requests, or within the headers of a request) → busy (a request has started) → idle … →
 * closed. In a drain, idle connections close at once, incomplete requests keep the rest of their time, and running requests
 * are answered.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface Connections {
  /** Watches the connections that this server accepts from now on. */
  readonly watch: (server: Server) => void;
  readonly add: (socket: Socket) => void;
  /** A request of this connection has started and is not answered yet. */
  readonly isBusy: (socket: Socket) => boolean;
  /** Calls `start` when the requests before this one were answered; never if the connection closes first. */
  readonly begin: (request: IncomingMessage, response: ServerResponse, start: () => void) => void;
  /** For bytes that are not a request: calls `answer`, which closes the connection, when the requests before were answered. */
  readonly refuse: (socket: Socket, answer: () => void) => void;
  /** Closes idle connections now and busy ones as they become idle. The server's own `close` waits for the last one. */
  readonly drain: () => void;
  /** Ends all connections at once. */
  readonly destroyAll: () => void;
}

export interface ConnectionsOptions {
  /** Time in which a request must arrive completely. */
  readonly requestTimeoutMs: number;
  /** Refuses a request that arrived too slowly, and closes its connection. */
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
  /** Requests that were parsed after the current one. */
  held: Exchange[];
  /** Refuses the connection after the held requests. */
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
    // An upgraded connection has no further requests and closes by its own protocol.
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
    // The answer closed the connection, so the held requests are dropped.
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
    // The current request is complete, so the unreadable bytes came after it.
    if (state?.current?.request.complete) state.refuse ??= answer;
    else answer();
  }

  /** Gives an incomplete request the rest of its time. */
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
      // Runs before the listeners that take the connection over.
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

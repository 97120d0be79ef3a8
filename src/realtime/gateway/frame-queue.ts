/**
 * Runs the frames of one connection, at most `inFlightMax` at once. When that many are in flight the socket is not read, so further
 * frames wait in the buffers of the kernel and of the client.
 *
 * States: open → retiring (nothing more is read; it is closed when all frames are answered) → closed.
 */
import { type Connection, isGone } from '../socket/connection.ts';
import type { FrameDeadlines, FrameWork } from './frame-deadlines.ts';

export interface FrameQueueOptions {
  readonly connection: Connection;
  readonly inFlightMax: number;
  readonly deadlines: Pick<FrameDeadlines, 'end' | 'isWaiting'>;
  /** Starts the work. `end` has to be called once it is answered. */
  readonly start: (work: FrameWork) => void;
}

export class FrameQueue {
  readonly #options: FrameQueueOptions;
  #inFlight = 0;
  /** Frames that were read together with the last one in flight: no more than one chunk of the network's. */
  #later: FrameWork[] = [];
  /** Closes a retiring connection. */
  #close: (() => void) | undefined;

  constructor(options: FrameQueueOptions) {
    this.#options = options;
  }

  add(work: FrameWork): void {
    if (this.#inFlight < this.#options.inFlightMax) this.#start(work);
    else this.#later.push(work);
  }

  /** Reads nothing more, and closes the connection when every frame is answered. */
  retire(close: () => void): void {
    this.#close ??= close;
    this.#options.connection.socket.pause();
    this.#closeIfIdle();
  }

  /** The connection is gone: frames that have not begun never will. */
  clear(): void {
    for (const work of this.#later) this.#options.deadlines.end(work);
    this.#later = [];
  }

  /** Work that was started has ended. */
  end(): void {
    const { connection, inFlightMax, deadlines } = this.#options;
    this.#inFlight -= 1;
    let next = this.#later.shift();
    // A frame whose time ran out in the queue was answered: nothing happened. It must not happen now.
    while (next && !deadlines.isWaiting(next)) next = this.#later.shift();
    if (next) this.#start(next);
    else if (this.#close) this.#closeIfIdle();
    else if (this.#inFlight === inFlightMax - 1) connection.socket.resume();
  }

  #start(work: FrameWork): void {
    const { connection, inFlightMax, start } = this.#options;
    work.begun = true;
    this.#inFlight += 1;
    if (this.#inFlight === inFlightMax) connection.socket.pause();
    start(work);
  }

  #closeIfIdle(): void {
    const { connection } = this.#options;
    if (this.#inFlight > 0 || isGone(connection)) return;
    this.#close!();
    // The client's own close frame is still to be read.
    connection.socket.resume();
  }
}

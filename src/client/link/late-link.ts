/** A connection that tabs share. Its code is loaded when it is started, since many environments have no tabs. */
import { leave } from '../leave.ts';
import { ParleyError } from '../parley-error.ts';
import type { ServerFrame } from '../types.ts';
import type { Link, SocketListener, SocketState } from './live-socket.ts';

/** A connection that this tab shares with others. */
export interface SharedLink extends Link {
  /** Whether this tab connects for itself, and maybe for others. */
  isLeading(): boolean;
  /** Tells the other tabs. */
  tell(news: unknown): void;
}

export class LateLink implements SharedLink {
  readonly #listener: SocketListener;
  readonly #load: () => Promise<SharedLink>;
  /** Until the code is there. */
  #state: SocketState = { name: 'off' };
  #inner: SharedLink | undefined;
  #loading: Promise<void> | undefined;

  constructor(listener: SocketListener, load: () => Promise<SharedLink>) {
    this.#listener = listener;
    this.#load = load;
  }

  get state(): SocketState {
    return this.#inner?.state ?? this.#state;
  }

  start(): void {
    if (this.#inner) {
      this.#inner.start();
      return;
    }
    this.#become({ name: 'connecting' });
    this.#loading ??= this.#begin();
    leave(this.#loading);
  }

  stop(): void {
    if (this.#inner) this.#inner.stop();
    else if (this.#state.name !== 'off') this.#become({ name: 'off' });
  }

  wake(): void {
    this.#inner?.wake();
  }

  async ask(frame: Readonly<Record<string, unknown>>): Promise<ServerFrame> {
    if (!this.#inner) throw new ParleyError('offline', 'not connected');
    return this.#inner.ask(frame);
  }

  isLeading(): boolean {
    return this.#inner?.isLeading() ?? false;
  }

  tell(news: unknown): void {
    this.#inner?.tell(news);
  }

  #become(state: SocketState): void {
    this.#state = state;
    this.#listener.onState(state);
  }

  async #begin(): Promise<void> {
    this.#inner = await this.#load();
    // It may have been stopped meanwhile.
    if (this.#state.name === 'connecting') this.#inner.start();
  }
}

/** A connection that is shared with nobody. */
export function asAlone(link: Link): SharedLink {
  return {
    get state() {
      return link.state;
    },
    start: () => link.start(),
    stop: () => link.stop(),
    wake: () => link.wake(),
    ask: (frame) => link.ask(frame),
    isLeading: () => true,
    tell: () => {},
  };
}

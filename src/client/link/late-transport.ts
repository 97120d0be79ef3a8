/** A transport whose code is loaded when it is needed. */
import type { Transport, TransportName } from './transport.ts';

export class LateTransport implements Transport {
  readonly transport: TransportName = 'sse';
  onopen: Transport['onopen'] = null;
  onmessage: Transport['onmessage'] = null;
  onclose: Transport['onclose'] = null;
  #inner: Transport | undefined;
  #isClosed = false;

  constructor(loading: Promise<() => Transport>) {
    loading.then(
      (open) => this.#begin(open),
      // The code could not be loaded: there is no network.
      () => this.close(1006),
    );
  }

  send(text: string): void {
    this.#inner?.send(text);
  }

  close(code?: number): void {
    if (this.#inner) this.#inner.close(code);
    else if (!this.#isClosed) queueMicrotask(() => this.onclose?.({ code: code ?? 1000 }));
    this.#isClosed = true;
  }

  #begin(open: () => Transport): void {
    if (this.#isClosed) return;
    const inner = open();
    this.#inner = inner;
    inner.onopen = (event) => this.onopen?.(event);
    inner.onmessage = (event) => this.onmessage?.(event);
    inner.onclose = (event) => this.onclose?.(event);
  }
}

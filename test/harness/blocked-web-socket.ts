/** A WebSocket on a network that blocks them: it never opens. */
export class BlockedWebSocket {
  onopen = null;
  onmessage = null;
  onclose: ((event: { readonly code: number }) => void) | null = null;

  constructor() {
    queueMicrotask(() => this.onclose?.({ code: 1006 }));
  }

  send(): void {}
  close(): void {}
}

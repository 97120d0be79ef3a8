/** Several listeners of one connection. */
import type { SocketListener } from './live-socket.ts';

export interface Listeners {
  /** Tells all of them. */
  readonly listener: SocketListener;
  /** Listens; several may. @returns stops listening */
  readonly on: (added: Partial<SocketListener>) => () => void;
}

export function createListeners(): Listeners {
  const listeners = new Set<Partial<SocketListener>>();
  function tell(call: (each: Partial<SocketListener>) => void): void {
    for (const each of listeners) call(each);
  }
  return {
    listener: {
      onState: (state) => tell((each) => each.onState?.(state)),
      onWelcome: (welcome) => tell((each) => each.onWelcome?.(welcome)),
      onEvent: (event) => tell((each) => each.onEvent?.(event)),
      onReset: (roomId, seq) => tell((each) => each.onReset?.(roomId, seq)),
      onSignal: (frame) => tell((each) => each.onSignal?.(frame)),
      onEnd: () => tell((each) => each.onEnd?.()),
    },
    on: (added) => {
      listeners.add(added);
      return () => listeners.delete(added);
    },
  };
}

/** What the server tells, for those who listen to single events: bots, sounds, notifications. */
import type { RoomEvent, RoomEventData, ServerFrame, Signal, SignalFields } from '../types.ts';

/** A durable event or a frame without a seq by its type; any of them as `event` and as `signal`. */
export type EventOf<Type extends EventName> = Type extends 'event'
  ? RoomEvent
  : Type extends 'signal'
    ? Signal
    : Extract<RoomEvent | Signal, { readonly type: Type }>;

/** Newer servers may send more. `event` and `signal` bring those as well. */
export type EventName = keyof RoomEventData | keyof SignalFields | 'event' | 'signal';

export interface ChatEvents {
  /**
   * Each event of each of the user's rooms, once and in the order of its room.
   * @returns stops listening
   */
  readonly on: <Type extends EventName>(type: Type, listener: (event: EventOf<Type>) => void) => () => void;
}

export class EventBook implements ChatEvents {
  readonly #listeners = new Map<string, Set<(event: never) => void>>();
  readonly #onUse: () => void;

  constructor(onUse: () => void) {
    this.#onUse = onUse;
  }

  readonly on: ChatEvents['on'] = (type, listener) => {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    this.#onUse();
    return () => listeners.delete(listener);
  };

  take(event: RoomEvent): void {
    this.#tell(event.type, event);
    this.#tell('event', event);
  }

  takeSignal(frame: ServerFrame): void {
    this.#tell(frame.type, frame);
    this.#tell('signal', frame);
  }

  #tell(type: string, event: RoomEvent | ServerFrame): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) listener(event as never);
  }
}

/** One send's place among those of its connection and room. */
interface Place {
  /** Waits until the sends before it have left. @throws the refusal that `abandon` was called with */
  readonly untilFirst: () => Promise<void>;
  /** Lets the next send go on. Called exactly once, whatever became of this one. */
  readonly leave: () => void;
}

interface Waiting {
  /** Set while the send waits for those before it. */
  wake: (() => void) | undefined;
}

/** Keeps the sends of one connection to one room in order, although they are moderated side by side. */
export class SendOrder {
  /** By room, in the order of arrival. Bounded by what may be in flight on a socket. */
  readonly #places = new Map<string, Waiting[]>();
  #refusal: Error | undefined;

  /**
   * Refuses every send of this connection that is not committed yet, now and later. Called when one was refused because
   * the client is gone: a later one could otherwise be stored before the retry of an earlier one.
   */
  abandon(refusal: Error): void {
    this.#refusal ??= refusal;
  }

  enter(roomId: string): Place {
    const own: Waiting = { wake: undefined };
    const places = this.#places.get(roomId);
    if (places) places.push(own);
    else this.#places.set(roomId, [own]);
    return {
      untilFirst: async () => {
        if (this.#places.get(roomId)![0] !== own)
          await new Promise<void>((resolve) => {
            own.wake = resolve;
          });
        if (this.#refusal) throw this.#refusal;
      },
      leave: () => this.#leave(roomId, own),
    };
  }

  #leave(roomId: string, own: Waiting): void {
    const places = this.#places.get(roomId)!;
    const at = places.indexOf(own);
    places.splice(at, 1);
    if (places.length === 0) this.#places.delete(roomId);
    else if (at === 0) places[0]!.wake?.();
  }
}

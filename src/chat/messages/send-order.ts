/** One message on its way: its place among those of its connection and room. */
interface Place {
  /** Set while it is prepared and waits for those before it. */
  wake: (() => void) | undefined;
}

/** Keeps what one connection sends to one room in order while the messages are judged side by side. */
export class SendOrder {
  /** By room, in the order they came; as long as what may be in flight on a socket. */
  readonly #lines = new Map<string, Place[]>();
  #abandoned: Error | undefined;

  /** One was refused because the connection has gone: what is not committed yet is refused too, and cannot overtake its repeat. */
  abandon(refusal: Error): void {
    this.#abandoned ??= refusal;
  }

  /**
   * @param prepare starts at once; what it throws concerns this message alone
   * @param commit called with what was prepared, after the previous `commit` of this room was called
   * @returns what `commit` returns
   */
  async run<Prepared, Answer>(
    roomId: string,
    prepare: () => Promise<Prepared>,
    commit: (prepared: Prepared) => Promise<Answer>,
  ): Promise<Answer> {
    const place: Place = { wake: undefined };
    const line = this.#lines.get(roomId);
    if (line) line.push(place);
    else this.#lines.set(roomId, [place]);
    try {
      const prepared = await prepare();
      if (this.#lines.get(roomId)![0] !== place)
        await new Promise<void>((resolve) => {
          place.wake = resolve;
        });
      if (this.#abandoned) throw this.#abandoned;
      // Called, not awaited: the next one's turn comes at once.
      return commit(prepared);
    } finally {
      this.#leave(roomId, place);
    }
  }

  #leave(roomId: string, place: Place): void {
    const line = this.#lines.get(roomId)!;
    const at = line.indexOf(place);
    line.splice(at, 1);
    if (line.length === 0) this.#lines.delete(roomId);
    else if (at === 0) line[0]!.wake?.();
  }
}

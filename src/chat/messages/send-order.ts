/** Keeps what one connection sends to one room in order while the messages are judged side by side. */
export class SendOrder {
  readonly #tails = new Map<string, Promise<void>>();

  /**
   * @param prepare starts at once
   * @param commit called with what was prepared, after the previous `commit` of this room was called
   * @returns what `commit` returns
   */
  run<Prepared, Answer>(
    roomId: string,
    prepare: () => Promise<Prepared>,
    commit: (prepared: Prepared) => Promise<Answer>,
  ): Promise<Answer> {
    const before = this.#tails.get(roomId);
    const prepared = prepare();
    // Not awaited for its value here: its failure belongs to the caller alone.
    const settled = prepared.then(
      () => undefined,
      () => undefined,
    );
    let release: () => void = () => {};
    const tail = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#tails.set(roomId, tail);
    void tail.then(() => {
      if (this.#tails.get(roomId) === tail) this.#tails.delete(roomId);
    });
    const turn = before ? Promise.all([before, settled]) : settled;
    return turn.then(async () => {
      try {
        return commit(await prepared);
      } finally {
        release();
      }
    });
  }
}

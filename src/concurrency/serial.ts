/** Runs works of the same key one after another, in the order of the calls. */
export type Serial = <Answer>(key: string, work: () => Promise<Answer>) => Promise<Answer>;

/**
 * For writes that lock the same row anyway: those that wait here hold no connection to the database. Works of other
 * processes are not waited for.
 */
export function createSerial(): Serial {
  const tails = new Map<string, Promise<unknown>>();

  return (key, work) => {
    const before = tails.get(key);
    const running = before ? before.then(work) : work();
    // A failure is the caller's; the next work begins anyway.
    const tail: Promise<unknown> = running.then(forget, forget);
    function forget(): void {
      if (tails.get(key) === tail) tails.delete(key);
    }
    tails.set(key, tail);
    return running;
  };
}

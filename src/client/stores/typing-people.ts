/** Who is writing at this moment, and telling others that the user is. */
import type { Profile } from '../types.ts';
import { createSource, type Source } from './live-store.ts';

/** A `typing` signal lasts this long unless it is repeated. */
const typingMs = 6000;
/** The signal is repeated after this time while the user goes on writing. */
const repeatMs = 3000;

export class TypingPeople {
  readonly store: Source<readonly Profile[]> = createSource<readonly Profile[]>([]);
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  start(person: Profile): void {
    clearTimeout(this.#timers.get(person.id));
    this.#timers.set(
      person.id,
      setTimeout(() => this.stop(person.id), typingMs),
    );
    if (!this.store.get().some(({ id }) => id === person.id)) this.store.set([...this.store.get(), person]);
  }

  stop(userId: string): void {
    clearTimeout(this.#timers.get(userId));
    if (this.#timers.delete(userId)) this.store.set(this.store.get().filter(({ id }) => id !== userId));
  }
}

/** @returns to be called with each keystroke, and with false when the text was sent or discarded */
export function createTypingSignal(tell: (active: boolean) => void): (active: boolean) => void {
  let toldAtMs = Number.NEGATIVE_INFINITY;
  let end: ReturnType<typeof setTimeout> | undefined;

  function stop(): void {
    clearTimeout(end);
    end = undefined;
    if (toldAtMs !== Number.NEGATIVE_INFINITY) tell(false);
    toldAtMs = Number.NEGATIVE_INFINITY;
  }

  return (active) => {
    if (!active) {
      stop();
      return;
    }
    clearTimeout(end);
    end = setTimeout(stop, typingMs);
    if (Date.now() - toldAtMs < repeatMs) return;
    toldAtMs = Date.now();
    tell(true);
  };
}

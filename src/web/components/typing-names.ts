/** Who is writing at this moment, by the signals of the server. */
import type { ChatHolder } from './chat-state.ts';

/** A `typing` signal lasts this long unless it is repeated. */
const typingMs = 6000;

export class TypingNames {
  readonly #holder: ChatHolder;
  readonly #names = new Map<string, string>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(holder: ChatHolder) {
    this.#holder = holder;
  }

  learn({ id, displayName }: { readonly id: string; readonly displayName: string }): void {
    this.#names.set(id, displayName);
  }

  start(roomId: string, userId: string): void {
    const key = `${roomId} ${userId}`;
    clearTimeout(this.#timers.get(key));
    this.#timers.set(
      key,
      setTimeout(() => this.stop(roomId, userId), typingMs),
    );
    const { typing } = this.#holder.state;
    const names = new Map(typing.get(roomId)).set(userId, this.#names.get(userId) ?? 'Someone');
    this.#holder.set({ typing: new Map(typing).set(roomId, names) });
  }

  stop(roomId: string, userId: string): void {
    const { typing } = this.#holder.state;
    const names = new Map(typing.get(roomId));
    if (names.delete(userId)) this.#holder.set({ typing: new Map(typing).set(roomId, names) });
  }
}

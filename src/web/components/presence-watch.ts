/** Who of the open room's people is there. Watched only while somebody may look at it. */
import { ClientError, type Presence } from '../../client/parley-client.ts';
import type { ChatHolder } from './chat-state.ts';

/** The server's bound. */
const watchedMax = 500;

export class PresenceWatch {
  readonly #holder: ChatHolder;
  #watched: readonly string[] = [];

  constructor(holder: ChatHolder) {
    this.#holder = holder;
  }

  /** Watches these people, and nobody else. */
  async watch(userIds: readonly string[]): Promise<void> {
    this.#watched = userIds.slice(0, watchedMax);
    await this.again();
  }

  /** To be called after each connection: it watches nobody yet. */
  async again(): Promise<void> {
    const asked = this.#watched;
    if (asked.length === 0) return;
    try {
      const presence = await this.#holder.client.watchPresence(asked);
      if (asked === this.#watched) this.#holder.set({ presence: new Map(Object.entries(presence)) });
    } catch (error) {
      // Shown without it.
      if (!(error instanceof ClientError)) throw error;
    }
  }

  take(userId: string, status: Presence): void {
    this.#holder.set({ presence: new Map(this.#holder.state.presence).set(userId, status) });
  }
}

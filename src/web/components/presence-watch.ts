/** Who of the open room's people is there. Watched only while somebody may look at it. */
import { ClientError, type CustomStatus, type Presence } from '../../client/parley-client.ts';
import type { ChatHolder } from './chat-state.ts';

/** The server's bound. */
const watchedMax = 500;

export interface PresenceChange {
  readonly userId: string;
  readonly status: Presence;
  readonly customStatus?: CustomStatus | null;
}

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
      const { presence, customStatuses } = await this.#holder.client.watchPresence(asked);
      if (asked !== this.#watched) return;
      const statuses = new Map(Object.entries(customStatuses));
      this.#holder.set({ presence: new Map(Object.entries(presence)), statuses });
    } catch (error) {
      // Shown without it.
      if (!(error instanceof ClientError)) throw error;
    }
  }

  take({ userId, status, customStatus = null }: PresenceChange): void {
    const { presence, statuses } = this.#holder.state;
    this.#holder.set({
      presence: new Map(presence).set(userId, status),
      statuses: new Map(statuses).set(userId, customStatus),
    });
  }
}

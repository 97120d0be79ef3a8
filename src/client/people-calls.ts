/** Who is there, and what people say about themselves. */
import { ClientError } from './client-error.ts';
import type { LiveSocket } from './live-socket.ts';
import type { Call } from './rest.ts';
import type { Presence } from './types.ts';

export type PresenceById = Readonly<Record<string, Presence>>;

export interface PeopleCalls {
  readonly presence: (userIds: readonly string[]) => Promise<PresenceById>;
  /** Watches these people instead of those watched before: `presence` signals bring their changes. At most 500. */
  readonly watchPresence: (userIds: readonly string[]) => Promise<PresenceById>;
  /** Tells others that this device is in use, or not. Never fails: the next connection tells it again. */
  readonly showPresence: (status: Exclude<Presence, 'offline'>) => void;
}

export function createPeopleCalls(call: Call, socket: LiveSocket): PeopleCalls {
  return {
    presence: async (userIds) => {
      const path = `/v1/presence?userIds=${userIds.map(encodeURIComponent).join(',')}`;
      return (await call<{ presence: PresenceById }>('GET', path)).presence;
    },
    watchPresence: async (userIds) =>
      ((await socket.ask({ type: 'presence.watch', userIds })).presence ?? {}) as PresenceById,
    showPresence: (status) => {
      socket.ask({ type: 'presence', status }).catch((error: unknown) => {
        if (!(error instanceof ClientError)) throw error;
      });
    },
  };
}

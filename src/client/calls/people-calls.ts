/** Who is there, and what people say about themselves. */

import type { Link } from '../link/live-socket.ts';
import { ParleyError } from '../parley-error.ts';
import type { CustomStatus, Presence } from '../types.ts';
import type { Call } from './rest.ts';

export interface WatchedPeople {
  /** By user id. */
  readonly presence: Readonly<Record<string, Presence>>;
  /** Of those who have one. */
  readonly customStatuses: Readonly<Record<string, CustomStatus>>;
}

export interface PeopleCalls {
  readonly presence: (userIds: readonly string[]) => Promise<WatchedPeople>;
  /** Watches these people instead of those watched before: `presence` signals bring their changes. At most 500. */
  readonly watchPresence: (userIds: readonly string[]) => Promise<WatchedPeople>;
  /** Tells others that this device is in use, or not. Never fails: the next connection tells it again. */
  readonly showPresence: (status: Exclude<Presence, 'offline'>) => void;
}

export function createPeopleCalls(call: Call, socket: Link): PeopleCalls {
  return {
    presence: (userIds) => call('GET', `/v1/presence?userIds=${userIds.map(encodeURIComponent).join(',')}`),
    watchPresence: async (userIds) => {
      const { presence = {}, customStatuses = {} } = await socket.ask({ type: 'presence.watch', userIds });
      return { presence, customStatuses } as WatchedPeople;
    },
    showPresence: (status) => {
      socket.ask({ type: 'presence', status }).catch((error: unknown) => {
        if (!(error instanceof ParleyError)) throw error;
      });
    },
  };
}

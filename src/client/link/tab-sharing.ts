/** What this environment has for sharing a connection between tabs. */
import type { Locks } from './leadership.ts';
import type { TabChannel, TabSharing } from './tab-link.ts';

/** @returns undefined where tabs can share nothing, and outside of pages: there are no tabs then */
export function findTabSharing(): TabSharing | undefined {
  const isPage = typeof document !== 'undefined';
  const locks = isPage ? (globalThis.navigator?.locks as Locks | undefined) : undefined;
  if (!locks || typeof BroadcastChannel === 'undefined') return undefined;
  return { locks, openChannel: (name) => new BroadcastChannel(name) as TabChannel };
}

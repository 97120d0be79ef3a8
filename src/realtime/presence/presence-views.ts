/** How the presence of a person looks to one watcher. Pure. */
import type { PresenceStatus } from './presence-status.ts';

/** A custom status that has not expired. */
export interface ShownStatus {
  readonly emoji: string | null;
  readonly text: string | null;
  readonly expiresAt: string | null;
}

/** What decides about it besides the person's devices. */
export interface PersonView {
  readonly invisible: boolean;
  /** Users who must not see the person. */
  readonly blocked: ReadonlySet<string>;
  /** As it is shown at that time: an expired one is null. */
  readonly customStatus: (nowMs: number) => ShownStatus | null;
}

export interface Presence {
  readonly status: PresenceStatus;
  readonly customStatus: ShownStatus | null;
}

const hiddenPresence: Presence = { status: 'offline', customStatus: null };

/**
 * @param view undefined for a person who does not exist
 * @param shares whether the watcher is in a room with the person
 */
export function presenceFor({
  watcherId,
  userId,
  status,
  view,
  shares,
  nowMs,
}: {
  watcherId: string;
  userId: string;
  status: PresenceStatus;
  view: PersonView | undefined;
  shares: boolean;
  nowMs: number;
}): Presence {
  if (!view) return hiddenPresence;
  const customStatus = view.customStatus(nowMs);
  if (watcherId === userId) return { status, customStatus };
  if (!shares || view.blocked.has(watcherId)) return hiddenPresence;
  return { status: view.invisible ? 'offline' : status, customStatus };
}

/**
 * Hints between instances: copies of committed events and of passing signals. Losing every one of them loses nothing:
 * readers are brought up to the head of the log from Postgres.
 */

/** Consecutive events of one room, as the frames' payloads. */
export interface EventHint {
  readonly roomId: string;
  readonly firstSeq: number;
  readonly events: readonly string[];
}

/** A membership that began: its user's connections are attached to the room from that seq. */
export interface JoinHint {
  readonly userId: string;
  readonly roomId: string;
  readonly seq: number;
}

/** What arrives from other instances. Own messages do not come back. */
export interface HintListener {
  readonly onEvents: (hint: EventHint) => void;
  readonly onJoin: (hint: JoinHint) => void;
  /** A frame without a seq for the readers of a room, e.g. `typing`. */
  readonly onRoomSignal: (roomId: string, json: string, exceptUserIds: readonly string[]) => void;
  /** A frame without a seq for all connections of a user, e.g. `read.updated`. */
  readonly onUserSignal: (userId: string, json: string) => void;
  /** Somebody's logins ended: look now instead of at the next poll. */
  readonly onRevocation: () => void;
  /** The link was away: everything may have been missed. */
  readonly onLinkRestored: () => void;
  /** Rooms or users are followed from now on; what came since they were asked for may have been missed. */
  readonly onSubscribed: () => void;
}

export interface Hints {
  readonly listen: (listener: HintListener) => void;
  /** Never throws and is never awaited. */
  readonly announceEvents: (hints: readonly EventHint[]) => void;
  readonly announceJoin: (hint: JoinHint) => void;
  readonly signalRoom: (roomId: string, json: string, exceptUserIds: readonly string[]) => void;
  readonly signalUser: (userId: string, json: string) => void;
  readonly announceRevocation: () => void;
  /** This instance reaches Postgres. */
  readonly announceHealth: () => void;
  /** Another one does. */
  readonly onPeerHealth: (listener: () => void) => void;
  /** Counted: hints about a room or user arrive while there is at least one follower. */
  readonly followRoom: (roomId: string) => void;
  readonly unfollowRoom: (roomId: string) => void;
  readonly followUser: (userId: string) => void;
  readonly unfollowUser: (userId: string) => void;
  /** `up`, or why hints do not flow. */
  readonly state: () => 'up' | 'down';
  readonly stop: () => Promise<void>;
}

/** One instance alone: there is nobody to tell. */
export function createLocalHints(): Hints {
  const nothing = () => {};
  return {
    listen: nothing,
    announceEvents: nothing,
    announceJoin: nothing,
    signalRoom: nothing,
    signalUser: nothing,
    announceRevocation: nothing,
    announceHealth: nothing,
    onPeerHealth: nothing,
    followRoom: nothing,
    unfollowRoom: nothing,
    followUser: nothing,
    unfollowUser: nothing,
    state: () => 'up',
    stop: async () => {},
  };
}

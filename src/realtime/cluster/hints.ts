/**
 * Hints between instances: copies of committed events, and signals. Losing every hint loses no event, because feeds also catch up from
 * the log.
 */

/** Consecutive events of one room, as payloads of frames. */
export interface EventHint {
  readonly roomId: string;
  readonly firstSeq: number;
  readonly events: readonly string[];
}

/** A membership began: the user's connections read the room from that seq on. */
export interface JoinHint {
  readonly userId: string;
  readonly roomId: string;
  readonly seq: number;
}

/** A frame without a seq for the readers of a room, e.g. `typing`. */
export interface RoomSignal {
  readonly roomId: string;
  readonly json: string;
  readonly exceptUserIds: readonly string[];
  /** The newest event known to the sender that ended somebody's reading. Who has not taken it must not deliver the signal. */
  readonly afterSeq: number;
}

/** Receives what other instances say of presence, while it is followed: see realtime/presence. */
export interface PresenceListener {
  readonly onHint: (instance: string, text: string) => void;
  /** Hints may have been missed until now. */
  readonly onGap: () => void;
}

/** Receives the hints of other instances, never those of this one. */
export interface HintListener {
  readonly onEvents: (hint: EventHint) => void;
  readonly onJoin: (hint: JoinHint) => void;
  readonly onRoomSignal: (signal: RoomSignal) => void;
  /** A frame without a seq for all connections of a user, e.g. `read.updated`. */
  readonly onUserSignal: (userId: string, json: string) => void;
  /** Sessions ended: read revocations now instead of at the next poll. */
  readonly onRevocation: () => void;
  /** The link works again: any hint may have been missed. */
  readonly onLinkRestored: () => void;
  /** Channels are subscribed from now on. Hints since the call of `followRoom` or `followUser` may have been missed. */
  readonly onSubscribed: () => void;
}

export interface Hints {
  readonly listen: (listener: HintListener) => void;
  /** Never throws and is never awaited. */
  readonly announceEvents: (hints: readonly EventHint[]) => void;
  readonly announceJoin: (hint: JoinHint) => void;
  readonly signalRoom: (signal: RoomSignal) => void;
  readonly signalUser: (userId: string, json: string) => void;
  readonly announceRevocation: () => void;
  /** Says that this instance reaches Postgres. */
  readonly announceHealth: () => void;
  /** @param instance the name of this instance in presence. @returns the bytes of the hint */
  readonly announcePresence: (instance: string, text: string) => number;
  readonly onPresence: (listener: PresenceListener) => void;
  readonly followPresence: () => void;
  readonly unfollowPresence: () => void;
  /** Another instance reaches Postgres. */
  readonly onInstanceHealth: (listener: () => void) => void;
  /** Counted: hints about a room or user arrive while it has at least one follower. */
  readonly followRoom: (roomId: string) => void;
  readonly unfollowRoom: (roomId: string) => void;
  readonly followUser: (userId: string) => void;
  readonly unfollowUser: (userId: string) => void;
  /** Whether hints flow. */
  readonly state: () => 'up' | 'down';
  readonly stop: () => Promise<void>;
}

/** Hints of an instance that is alone: none. */
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
    announcePresence: () => 0,
    onPresence: nothing,
    followPresence: nothing,
    unfollowPresence: nothing,
    onInstanceHealth: nothing,
    followRoom: nothing,
    unfollowRoom: nothing,
    followUser: nothing,
    unfollowUser: nothing,
    state: () => 'up',
    stop: async () => {},
  };
}

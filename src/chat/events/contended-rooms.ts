/** Rooms in which another instance writes too, or whose senders repeat keys. They are appended to with the careful statement. */
export interface ContendedRooms {
  readonly has: (roomId: string) => boolean;
  readonly note: (roomId: string) => void;
  readonly forgetExpired: () => void;
}

/** After a conflict the next one is expected within this time. */
const contendedMs = 5000;

/** @param nowMs a monotonic clock */
export function createContendedRooms(nowMs: () => number = () => performance.now()): ContendedRooms {
  const untilMs = new Map<string, number>();
  return {
    has: (roomId) => (untilMs.get(roomId) ?? 0) > nowMs(),
    note: (roomId) => void untilMs.set(roomId, nowMs() + contendedMs),
    forgetExpired: () => {
      for (const [roomId, until] of untilMs) if (until < nowMs()) untilMs.delete(roomId);
    },
  };
}

/** Which rooms have a mail job that is still due, so that not every message adds one. Forgetting a room costs one job too many. */
export interface MailJobsDue {
  /** Those of the rooms that need a job, in their order. */
  readonly missing: (roomIds: readonly string[]) => string[];
  /** A job was added for each of the rooms. @param atMs Postgres' clock */
  readonly added: (roomIds: readonly string[], atMs: number) => void;
  /** The log was replaced: the jobs may be gone with it. */
  readonly clear: () => void;
  readonly forgetExpired: () => void;
}

/** A job that is due sooner may be running already and not see a new message. */
const marginMaxMs = 30_000;

/**
 * @param delayMs a job is due this long after a message; undefined: no mail
 * @param nowMs Postgres' clock
 */
export function createMailJobsDue(delayMs: number | undefined, nowMs: () => number): MailJobsDue {
  const dueAtMs = new Map<string, number>();
  return {
    missing: (roomIds) => {
      if (delayMs === undefined) return [];
      const soonMs = nowMs() + Math.min(marginMaxMs, delayMs / 2);
      return roomIds.filter((roomId) => (dueAtMs.get(roomId) ?? 0) < soonMs);
    },
    added: (roomIds, atMs) => {
      for (const roomId of roomIds) dueAtMs.set(roomId, atMs + (delayMs ?? 0));
    },
    clear: () => dueAtMs.clear(),
    forgetExpired: () => {
      const now = nowMs();
      for (const [roomId, atMs] of dueAtMs) if (atMs < now) dueAtMs.delete(roomId);
    },
  };
}

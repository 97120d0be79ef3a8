/** Computes from a room's log who may see which seqs: from joining to leaving, both included, and while the room is public. */
import type { Interval, LoggedEvent } from './history-checker.ts';

/** Fields of a log entry that readers do not see. */
export interface RoomEventRow extends LoggedEvent {
  /** For `member.joined` and `member.left`: the user. */
  readonly subjectId?: string;
  /** For `room.updated`: the new settings of the room. */
  readonly visibility?: 'public' | 'private';
}

export interface RoomFacts {
  readonly log: readonly RoomEventRow[];
  readonly history: 'all' | 'joined';
  /** The room as it was created. */
  readonly visibility: 'public' | 'private';
}

const endless = Number.MAX_SAFE_INTEGER;

/** The periods of a user's membership, as ranges of seqs. */
export function membershipOf({ log }: RoomFacts, userId: string): Interval[] {
  const times: { from: number; to: number }[] = [];
  for (const { seq, type, subjectId } of log) {
    if (subjectId !== userId) continue;
    if (type === 'member.joined') times.push({ from: seq, to: endless });
    if (type === 'member.left') times.at(-1)!.to = seq;
  }
  return times;
}

/** The periods in which the room was public. Each ends with the event that made it private. */
export function publicTimesOf({ log, visibility }: RoomFacts): Interval[] {
  const times: { from: number; to: number }[] = visibility === 'public' ? [{ from: 1, to: endless }] : [];
  let open = visibility === 'public';
  for (const event of log) {
    if (event.visibility === 'public' && !open) times.push({ from: event.seq, to: endless });
    if (event.visibility === 'private' && open) times.at(-1)!.to = event.seq;
    if (event.visibility) open = event.visibility === 'public';
  }
  return times;
}

/**
 * The seqs that a member may have seen by the end. If members can read the whole history, the last membership includes everything before
 * its end.
 */
export function entitlementOf(facts: RoomFacts, userId: string): Interval[] {
  const times = membershipOf(facts, userId);
  const last = times.at(-1);
  return facts.history === 'all' && last ? [{ from: 1, to: last.to }] : times;
}

/** The seqs that a watcher may have seen. */
export function watchersEntitlement(facts: RoomFacts): Interval[] {
  const times = publicTimesOf(facts);
  const last = times.at(-1);
  return last ? [{ from: 1, to: last.to }] : [];
}

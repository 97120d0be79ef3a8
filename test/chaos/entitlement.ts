/** Who may see which seqs of a room, as its log says: from joining to leaving, both included, and while it is public. */
import type { Interval, LoggedEvent } from './history-checker.ts';

/** What the log says of one event beside what readers are shown. */
export interface RoomEventRow extends LoggedEvent {
  /** Of `member.joined` and `member.left`: whom it is about. */
  readonly subjectId?: string;
  /** Of `room.updated`: what the room is from then on. */
  readonly visibility?: 'public' | 'private';
}

export interface RoomFacts {
  readonly log: readonly RoomEventRow[];
  readonly history: 'all' | 'joined';
  /** As the room was made. */
  readonly visibility: 'public' | 'private';
}

const endless = Number.MAX_SAFE_INTEGER;

/** The times of a user's membership, by seq. */
export function membershipOf({ log }: RoomFacts, userId: string): Interval[] {
  const times: { from: number; to: number }[] = [];
  for (const { seq, type, subjectId } of log) {
    if (subjectId !== userId) continue;
    if (type === 'member.joined') times.push({ from: seq, to: endless });
    if (type === 'member.left') times.at(-1)!.to = seq;
  }
  return times;
}

/** The times in which the room was public; the event that made it private is the last of one. */
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
 * What a member may have seen in the end. Where members see all that was before, the last time of membership opens everything up
 * to its own end.
 */
export function entitlementOf(facts: RoomFacts, userId: string): Interval[] {
  const times = membershipOf(facts, userId);
  const last = times.at(-1);
  return facts.history === 'all' && last ? [{ from: 1, to: last.to }] : times;
}

/** What somebody who only watches may have seen. */
export function watchersEntitlement(facts: RoomFacts): Interval[] {
  const times = publicTimesOf(facts);
  const last = times.at(-1);
  return last ? [{ from: 1, to: last.to }] : [];
}

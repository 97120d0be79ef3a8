/**
 * Compares the final state: the last version of every message, the members, the read markers, and that no answer contradicts them. Pure;
 * its tests contain a state for each violation that it looks for.
 */
import type { RoomEventRow } from './entitlement.ts';
import type { SendRecord } from './history-checker.ts';

/** A message as a reader, or the database, finally has it. */
export interface MessageView {
  readonly messageId: string;
  readonly text: string;
  readonly deleted: boolean;
}

/** An edit or deletion that was requested. */
export interface ChangeRecord {
  readonly kind: 'message.updated' | 'message.deleted';
  readonly roomId: string;
  readonly messageId: string;
  /** The text of an edit; no two edits have the same. */
  readonly text?: string;
  readonly seq?: number;
  /** It was definitely refused. */
  readonly refused?: string;
  /** Time of the answer. */
  readonly atMs?: number;
}

/** From the answer that revoked a right to the start of the call that restored it, by one clock. */
export interface Ban {
  readonly userId: string;
  readonly roomId: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Answers to the read markers of one device, in order. */
export interface MarkRecord {
  readonly userId: string;
  readonly roomId: string;
  readonly acked: readonly number[];
  /** Time of each answer. */
  readonly atMs?: readonly number[];
}

export interface FinalState {
  readonly logs: ReadonlyMap<string, readonly RoomEventRow[]>;
  readonly messages: ReadonlyMap<string, MessageView>;
  /** The texts of all versions of a message. */
  readonly versions: ReadonlySet<string>;
  /** Members by room. */
  readonly members: ReadonlyMap<string, ReadonlySet<string>>;
  /** Read markers by `user room`. */
  readonly marks: ReadonlyMap<string, number>;
}

export interface Beliefs {
  readonly views: readonly { readonly reader: string; readonly messages: readonly MessageView[] }[];
  /** Rooms that a connected client believes it is a member of. */
  readonly memberships: readonly { readonly userId: string; readonly rooms: ReadonlySet<string> }[];
  readonly changes: readonly ChangeRecord[];
  readonly sends: readonly SendRecord[];
  readonly bans: readonly Ban[];
  readonly marks: readonly MarkRecord[];
}

export interface StateViolation {
  readonly kind: 'wrong version' | 'lost' | 'refused but stored' | 'ghost' | 'authority' | 'read marker';
  readonly what: string;
}

export function checkState(final: FinalState, beliefs: Beliefs): StateViolation[] {
  const found: StateViolation[] = [];
  const report = (kind: StateViolation['kind'], what: string) => found.push({ kind, what });
  checkVersions(final, beliefs, report);
  checkChanges(final, beliefs, report);
  checkMemberships(final, beliefs, report);
  checkBans(beliefs, report);
  checkMarks(final, beliefs, report);
  return found;
}

type Report = (kind: StateViolation['kind'], what: string) => void;

function checkVersions({ messages }: FinalState, { views }: Beliefs, report: Report): void {
  for (const { reader, messages: seen } of views) {
    for (const { messageId, text, deleted } of seen) {
      const final = messages.get(messageId);
      if (!final) report('wrong version', `${reader} has ${messageId}, which is not stored`);
      else if (final.deleted !== deleted || (!deleted && final.text !== text))
        report('wrong version', `${reader} has another version of ${messageId}`);
    }
  }
}

function checkChanges({ logs, messages, versions }: FinalState, { changes }: Beliefs, report: Report): void {
  for (const { kind, roomId, messageId, text, seq, refused } of changes) {
    if (refused !== undefined && text !== undefined && versions.has(text))
      report('refused but stored', `an edit of ${messageId} (${refused})`);
    if (seq === undefined) continue;
    const event = logs.get(roomId)?.[seq - 1];
    if (event?.type !== kind || !event.id.includes(messageId))
      report('lost', `${kind} of ${messageId} was acked as ${seq} of ${roomId}`);
    if (kind === 'message.deleted' && !messages.get(messageId)?.deleted)
      report('lost', `the deletion of ${messageId} was acked, and it is there`);
    if (text !== undefined && !versions.has(text) && !messages.get(messageId)?.deleted)
      report('lost', `an acked version of ${messageId} is not there`);
  }
}

function checkMemberships({ members }: FinalState, { memberships }: Beliefs, report: Report): void {
  for (const { userId, rooms } of memberships) {
    for (const [roomId, people] of members) {
      if (rooms.has(roomId) && !people.has(userId)) report('ghost', `${userId} takes itself for a member of ${roomId}`);
      if (!rooms.has(roomId) && people.has(userId)) report('ghost', `${userId} does not know that it is in ${roomId}`);
    }
  }
}

/** Finds acts that began after a right was revoked and succeeded before it was restored. */
function checkBans({ sends, bans }: Beliefs, report: Report): void {
  for (const { userId, roomId, clientId, startedMs, ackedMs } of sends) {
    if (startedMs === undefined || ackedMs === undefined) continue;
    const ban = bans.find(
      (each) => each.userId === userId && each.roomId === roomId && startedMs > each.fromMs && ackedMs < each.toMs,
    );
    if (ban) report('authority', `${clientId} was stored although its author was muted or removed`);
  }
}

function checkMarks({ logs, marks }: FinalState, beliefs: Beliefs, report: Report): void {
  for (const { userId, roomId, acked } of beliefs.marks) {
    for (let at = 1; at < acked.length; at++) {
      if (acked[at]! < acked[at - 1]!)
        report('read marker', `${userId}'s in ${roomId} went from ${acked[at - 1]} back to ${acked[at]}`);
    }
    const head = logs.get(roomId)?.length ?? 0;
    const furthest = Math.max(0, ...acked);
    const final = marks.get(`${userId} ${roomId}`) ?? 0;
    if (final < furthest || final > head)
      report('read marker', `${userId}'s in ${roomId} is ${final}; ${furthest} was acked, the head is ${head}`);
  }
}

/**
 * What is unread in a room, as the client counts it: the newest answer of the server, and the events after it.
 *
 * An answer is what `welcome`, the list of rooms, `read.updated` and the answers of marks say of the counts. Each is of one moment, so
 * `readVersion` and `seq` put them in order. On their way they overtake each other and the events: an older answer changes nothing, and the
 * events after a newer one are counted again. They are kept until an answer contains them.
 */
import { isInRoom } from './message-log.ts';
import type { Message, ReadCounts, ReadState, RoomEvent } from './types.ts';

export interface UnreadCounts {
  /** The user who reads. */
  readonly me: string | undefined;
  /** When these users mention everybody, it does not count. */
  readonly blocked: ReadonlySet<string>;
  /** The newest answer; undefined while there was none. */
  readonly answer: ReadState | undefined;
  /** As of the newest answer or event; undefined without an answer. */
  readonly now: ReadCounts | undefined;
  /** An event did not tell what it changes: an answer is to be asked for. */
  readonly uncertain: boolean;
  /** Of the newest event. */
  readonly head: number | undefined;
  /** What the events after `from` have changed. */
  readonly from: number;
  readonly changes: readonly CountChange[];
  /** By id: what messages count that came as events. What was read over REST may be older or newer than the events. */
  readonly messages: ReadonlyMap<string, CountedMessage>;
}

/** What a message counts. */
interface Weight {
  readonly senderId: string;
  readonly inRoom: boolean;
  /** The user is mentioned by name. */
  readonly named: boolean;
  readonly everybody: boolean;
}

interface CountedMessage {
  readonly seq: number;
  readonly weight: Weight;
}

interface CountChange {
  readonly seq: number;
  /** Undefined: not known. */
  readonly messageSeq: number | undefined;
  /** Undefined: not known. */
  readonly before: Weight | undefined;
  readonly after: Weight;
}

/** Kept for answers that are older than the events. An answer that is older still has to be asked for again. */
const changesMax = 500;
/** The newest ones. Edits and deletions of others make the counts uncertain. */
const messagesMax = 1000;
const nothing: Weight = { senderId: '', inRoom: false, named: false, everybody: false };

export function createCounts(me: string | undefined, blocked: ReadonlySet<string>): UnreadCounts {
  const unknown = { answer: undefined, now: undefined, uncertain: false, head: undefined, from: 0 };
  return { me, blocked, ...unknown, changes: [], messages: new Map() };
}

/** Takes an answer, unless it is older than the one before. */
export function takeAnswer(counts: UnreadCounts, given: ReadState): UnreadCounts {
  const { lastReadSeq, unread, mentions, seq, readVersion } = given;
  const answer = { lastReadSeq, unread, mentions, seq, readVersion };
  if (counts.answer && isOlder(answer, counts.answer)) return counts;
  const isCovered = counts.head === undefined || counts.head <= seq || counts.from <= seq;
  const changes = counts.changes.filter((change) => change.seq > seq);
  const start = { ...counts, answer, now: { lastReadSeq, unread, mentions }, uncertain: !isCovered };
  return changes.reduce(applyChange, { ...start, changes, from: Math.max(counts.from, seq) });
}

function isOlder(answer: ReadState, than: ReadState): boolean {
  return answer.readVersion < than.readVersion || (answer.readVersion === than.readVersion && answer.seq < than.seq);
}

/** Shows what the user did before the server has answered. The next answer replaces it. */
export function guessCounts(counts: UnreadCounts, now: ReadCounts): UnreadCounts {
  return { ...counts, now };
}

/** @param blocked as of now. What is known of mentions of everybody no longer holds */
export function takeBlocked(counts: UnreadCounts, blocked: ReadonlySet<string>): UnreadCounts {
  const isSame = blocked.size === counts.blocked.size && [...blocked].every((id) => counts.blocked.has(id));
  return isSame ? counts : { ...counts, blocked, uncertain: counts.uncertain || counts.answer !== undefined };
}

/** The log was left or replaced: what was known of it says nothing about what comes. */
export function forgetAnswer({ me, blocked, uncertain, answer }: UnreadCounts): UnreadCounts {
  return { ...createCounts(me, blocked), uncertain: uncertain || answer !== undefined };
}

/**
 * Counts an event. One that an answer contains already changes nothing.
 * @param stored the message that it changes, however old
 */
export function countEvent(counts: UnreadCounts, event: RoomEvent, stored: Message | undefined): UnreadCounts {
  const { head, answer } = counts;
  if (head !== undefined && event.seq <= head) return counts;
  const known = head === undefined || event.seq > head + 1 ? skipTo(counts, event.seq - 1) : counts;
  const change = changeOf(known, event, stored);
  const next = { ...known, head: event.seq, messages: remember(known, event) };
  if (!change || (answer && event.seq <= answer.seq)) return next;
  return applyChange(keepChange(next, change), change);
}

/** Events up to `seq` are not known. */
function skipTo(counts: UnreadCounts, seq: number): UnreadCounts {
  const isMissed = counts.answer !== undefined && counts.answer.seq < seq;
  const uncertain = counts.uncertain || isMissed;
  return { ...counts, uncertain, from: Math.max(counts.from, seq), changes: [], messages: new Map() };
}

function changeOf(
  { me, messages }: UnreadCounts,
  event: RoomEvent,
  stored: Message | undefined,
): CountChange | undefined {
  const { seq } = event;
  switch (event.type) {
    case 'message.created': {
      const { message } = event.data;
      return { seq, messageSeq: message.seq, before: nothing, after: weightOf(message, me) };
    }
    case 'message.updated': {
      const { message } = event.data;
      // The user's own messages never count.
      if (message.sender.id === me) return undefined;
      return { seq, messageSeq: message.seq, before: messages.get(message.id)?.weight, after: weightOf(message, me) };
    }
    case 'message.deleted': {
      const known = messages.get(event.data.messageId);
      if (stored?.sender.id === me) return undefined;
      return { seq, messageSeq: known?.seq ?? stored?.seq, before: known?.weight, after: nothing };
    }
    default:
      return undefined;
  }
}

function remember({ me, messages }: UnreadCounts, event: RoomEvent): ReadonlyMap<string, CountedMessage> {
  if (event.type === 'message.deleted') {
    const { messageId } = event.data;
    const known = messages.get(messageId);
    return known ? new Map(messages).set(messageId, { ...known, weight: nothing }) : messages;
  }
  if (event.type !== 'message.created' && event.type !== 'message.updated') return messages;
  const { message } = event.data;
  const next = new Map(messages);
  // An event that is read from the log shows a message without its content if it was deleted since.
  if (message.deletedAt) next.delete(message.id);
  else next.set(message.id, { seq: message.seq, weight: weightOf(message, me) });
  if (next.size > messagesMax) next.delete(next.keys().next().value!);
  return next;
}

function weightOf(message: Message, me: string | undefined): Weight {
  const { sender, mentions, mentionsAll } = message;
  if (sender.id === me || message.deletedAt) return nothing;
  const named = me !== undefined && mentions.includes(me);
  return { senderId: sender.id, inRoom: isInRoom(message), named, everybody: (mentionsAll ?? null) !== null };
}

function keepChange(counts: UnreadCounts, change: CountChange): UnreadCounts {
  const changes = [...counts.changes, change];
  const dropped = changes.length > changesMax ? changes.shift() : undefined;
  return { ...counts, changes, from: Math.max(counts.from, dropped?.seq ?? 0) };
}

function applyChange(counts: UnreadCounts, { messageSeq, before, after }: CountChange): UnreadCounts {
  const { now, blocked, uncertain } = counts;
  if (!now || (messageSeq !== undefined && messageSeq <= now.lastReadSeq)) return counts;
  // Where nothing is unread, a message that is deleted was not unread either.
  const isEmpty = after === nothing && !uncertain && now.unread + now.mentions === 0;
  if (!before) return isEmpty ? counts : { ...counts, uncertain: true };
  const isMention = ({ named, everybody, senderId }: Weight) => named || (everybody && !blocked.has(senderId));
  const unread = now.unread + Number(after.inRoom) - Number(before.inRoom);
  const mentions = now.mentions + Number(isMention(after)) - Number(isMention(before));
  return { ...counts, now: { ...now, unread: Math.max(0, unread), mentions: Math.max(0, mentions) } };
}

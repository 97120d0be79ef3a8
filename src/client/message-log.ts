/**
 * The messages of a room that a client knows, in the order of their seq, and how events change them. Between two messages
 * there may be others that were never read: views keep the ranges that are complete.
 */
import { addReaction, type ReactionsAfter, removeReaction } from './reaction-changes.ts';
import type { Message, MessageDelta, RoomEvent, ThreadSummary } from './types.ts';

export interface MessageLog {
  readonly messages: readonly Message[];
  /** Ids of messages about which events did not tell everything: to be read again. */
  readonly incomplete: ReadonlySet<string>;
  /** By id, for messages that were read: the replies up to this seq are in their count. */
  readonly repliesTo?: ReadonlyMap<string, number>;
}

export const emptyLog: MessageLog = { messages: [], incomplete: new Set() };

/** The people that a thread's summary names. */
const threadPeopleMax = 5;

/**
 * Applies an event. Events that do not concern messages, or concern unknown ones, change nothing.
 * @param again the messages were read at an unknown time, so that they may contain the change already
 */
export function applyToLog(log: MessageLog, event: RoomEvent, again = false): MessageLog {
  switch (event.type) {
    case 'message.created':
      return addCreated(log, event.data.message, again);
    case 'message.updated': {
      const updated = changeMessage(log, event.data.message.id, (before) => takeUpdate(before, event.data.message));
      const counted = recountReplies(updated, log, event.data.message.id);
      return takeSummary(counted, event.data.thread);
    }
    case 'message.deleted': {
      const { messageId, thread } = event.data;
      const deleted = changeMessage(log, messageId, (before) => toTombstone(before, event.at));
      return takeSummary(recountReplies(deleted, log, messageId), thread);
    }
    case 'reaction.added':
      return changeReactions(log, event.data.messageId, (before) => addReaction(before, event.data, again));
    case 'reaction.removed':
      return changeReactions(log, event.data.messageId, (before) => removeReaction(before, event.data, again));
    case 'message.pinned':
      return changeMessage(log, event.data.messageId, (before) => ({ ...before, pinned: !before.deletedAt }));
    case 'message.unpinned':
      return changeMessage(log, event.data.messageId, (before) => ({ ...before, pinned: false }));
    case 'poll.updated':
      return changeMessage(log, event.data.messageId, (before) => takePoll(before, event.data.poll));
    default:
      return log;
  }
}

/** Adds a piece of a message that is being written. After a piece that was lost the message is to be read again. */
export function applyDelta(log: MessageLog, { messageId, offset, text }: MessageDelta): MessageLog {
  const message = findMessage(log, messageId);
  if (!message?.streaming) return log;
  if (offset > message.text.length) return markIncomplete(log, messageId);
  return changeMessage(log, messageId, () => ({ ...message, text: message.text.slice(0, offset) + text }));
}

/**
 * Adds messages that were read over REST; they replace those known before.
 * @param all the events that came since the read began: the messages may contain them already, or not
 * @param seq of the answer, if it has one: the messages contain the events up to it
 */
export function addRead(
  log: MessageLog,
  read: readonly Message[],
  all: readonly RoomEvent[] = [],
  seq?: number,
): MessageLog {
  const during = all.filter((event) => event.seq > (seq ?? 0));
  const ids = new Set(read.map(({ id }) => id));
  const concerned = during.filter((event) => event.type !== 'message.created' || concerns(event.data.message, ids));
  const counted = seq === undefined ? new Map<string, number>() : new Map(read.map(({ id }) => [id, seq]));
  const start: MessageLog = { messages: [...read].sort(bySeq), incomplete: new Set(), repliesTo: counted };
  const page = concerned.reduce((each, event) => applyToLog(each, event, true), start);
  // An event may have brought a message that the page does not have: it is known already.
  const added = page.messages
    .filter(({ id }) => ids.has(id))
    .map((each) => keepOwnVote(each, findMessage(log, each.id)));
  const incomplete = new Set([...log.incomplete].filter((id) => !ids.has(id)));
  for (const id of [...page.incomplete, ...uncertainCounts(log, during, ids)]) incomplete.add(id);
  const others = [...(log.repliesTo ?? [])].filter(([id]) => !ids.has(id));
  return {
    messages: mergeBySeq(log.messages, added, ids),
    incomplete,
    repliesTo: new Map([...others, ...counted]),
  };
}

/** Messages of a page whose count may contain a reply or not that was deleted or restored meanwhile, and is not on the page. */
function uncertainCounts(log: MessageLog, during: readonly RoomEvent[], page: ReadonlySet<string>): string[] {
  return during.flatMap(({ type, data }) => {
    const id = type === 'message.deleted' ? data.messageId : type === 'message.updated' ? data.message.id : '';
    const replyTo = page.has(id) ? undefined : findMessage(log, id)?.replyTo;
    return replyTo && page.has(replyTo) ? [replyTo] : [];
  });
}

export function findMessage(log: MessageLog, messageId: string): Message | undefined {
  return log.messages.findLast(({ id }) => id === messageId);
}

/** Whether a message is in the history of the room itself, not in a thread alone. */
export function isInRoom({ threadId, alsoInRoom }: Pick<Message, 'threadId' | 'alsoInRoom'>): boolean {
  return threadId === null || threadId === undefined || alsoInRoom === true;
}

function concerns({ threadId, replyTo }: Message, ids: ReadonlySet<string>): boolean {
  return (threadId !== null && ids.has(threadId)) || (replyTo !== null && ids.has(replyTo));
}

function bySeq(left: Message, right: Message): number {
  return left.seq - right.seq;
}

function mergeBySeq(present: readonly Message[], added: readonly Message[], ids: ReadonlySet<string>): Message[] {
  const kept = present.filter(({ id }) => !ids.has(id));
  const first = added[0]?.seq ?? 0;
  const isBehind = (kept.at(-1)?.seq ?? 0) < first;
  return isBehind ? [...kept, ...added] : [...kept, ...added].sort(bySeq);
}

function addCreated(log: MessageLog, message: Message, again: boolean): MessageLog {
  if (!again && findMessage(log, message.id)) return log;
  const messages = again ? log.messages : mergeBySeq(log.messages, [message], new Set());
  const counted = countReply({ ...log, messages }, message, again);
  if (message.threadId === null) return counted;
  return changeMessage(counted, message.threadId, (root) => growThread(root, message));
}

function countReply(log: MessageLog, reply: Message, again: boolean): MessageLog {
  const { id, replyTo, seq } = reply;
  if (replyTo === null || !isInRoom(reply)) return log;
  const countedTo = log.repliesTo?.get(replyTo);
  if (countedTo !== undefined && seq <= countedTo) return log;
  // Whether the count contains the reply is known only if both were read at once.
  if (again && countedTo === undefined)
    return findMessage(log, id) || !findMessage(log, replyTo) ? log : markIncomplete(log, replyTo);
  return changeMessage(log, replyTo, (target) => ({ ...target, replyCount: target.replyCount + 1 }));
}

/** A reply that was deleted does not count; a restored one does again. */
function recountReplies(log: MessageLog, before: MessageLog, messageId: string): MessageLog {
  const [was, is] = [findMessage(before, messageId), findMessage(log, messageId)];
  if (!was || !is || is.replyTo === null || !isInRoom(is) || !was.deletedAt === !is.deletedAt) return log;
  const by = is.deletedAt ? -1 : 1;
  const recounted = changeMessage(log, is.replyTo, (target) => ({ ...target, replyCount: target.replyCount + by }));
  // A count that was read may be newer than its seq as to deletions.
  return log.repliesTo?.has(is.replyTo) ? markIncomplete(recounted, is.replyTo) : recounted;
}

/** The summary names the newest message that it counts, so that none counts twice. */
function growThread(root: Message, { sender, createdAt, seq }: Message): Message {
  const before = root.thread ?? { replyCount: 0, userIds: [], lastSeq: 0 };
  if (seq <= before.lastSeq) return root;
  const others = before.userIds.filter((id) => id !== sender.id);
  const userIds = [sender.id, ...others].slice(0, threadPeopleMax);
  return { ...root, thread: { replyCount: before.replyCount + 1, lastReplyAt: createdAt, userIds, lastSeq: seq } };
}

function takeSummary(log: MessageLog, change: (ThreadSummary & { readonly threadId: string }) | undefined): MessageLog {
  if (!change) return log;
  const { threadId, ...thread } = change;
  return changeMessage(log, threadId, (root) => ({ ...root, thread: thread.replyCount > 0 ? thread : null }));
}

/** Events do not count replies, and do not know the user's own vote. */
function takeUpdate(before: Message, message: Message): Message {
  return keepOwnVote({ ...message, replyCount: before.replyCount }, before);
}

function keepOwnVote(message: Message, before: Message | undefined): Message {
  if (!message.poll || message.poll.own !== undefined || before?.poll?.own === undefined) return message;
  return { ...message, poll: { ...message.poll, own: before.poll.own } };
}

function takePoll(before: Message, poll: NonNullable<Message['poll']>): Message {
  return before.deletedAt ? before : keepOwnVote({ ...before, poll }, before);
}

/** A deleted message keeps its place, its thread, and nothing else. */
function toTombstone(before: Message, deletedAt: string): Message {
  const { poll: _poll, previews: _previews, forwarded: _forwarded, ...kept } = before;
  const { streaming: _streaming, interrupted: _interrupted, ...rest } = kept;
  const empty = { text: '', html: '', mentions: [], mentionsAll: null, attachments: [], reactions: [], pinned: false };
  return { ...rest, ...empty, deletedAt };
}

function changeReactions(
  log: MessageLog,
  messageId: string,
  change: (before: Message['reactions']) => ReactionsAfter,
): MessageLog {
  const message = findMessage(log, messageId);
  if (!message || message.deletedAt) return log;
  const { reactions, incomplete } = change(message.reactions);
  const changed =
    reactions === message.reactions ? log : changeMessage(log, messageId, () => ({ ...message, reactions }));
  return incomplete ? markIncomplete(changed, messageId) : changed;
}

function markIncomplete(log: MessageLog, messageId: string): MessageLog {
  return { ...log, incomplete: new Set(log.incomplete).add(messageId) };
}

function changeMessage(log: MessageLog, messageId: string, change: (before: Message) => Message): MessageLog {
  const index = log.messages.findLastIndex(({ id }) => id === messageId);
  if (index < 0) return log;
  const messages = [...log.messages];
  messages[index] = change(messages[index]!);
  return { ...log, messages };
}

import { expect, test } from 'vitest';
import type { Message, ReadState, RoomEvent, RoomEventData } from './types.ts';
import {
  countEvent,
  createCounts,
  forgetAnswer,
  guessCounts,
  takeAnswer,
  takeBlocked,
  type UnreadCounts,
} from './unread-counts.ts';

const ben = { id: 'ben', username: 'ben', displayName: 'Ben', avatarUrl: null };

function message(seq: number, changes: Partial<Message> = {}): Message {
  const own = { id: `m${seq}`, roomId: 'r', seq, sender: ben, text: 'text', html: '', createdAt: '' };
  const plain = { mentions: [], mentionsAll: null, replyTo: null, replyCount: 0, threadId: null, thread: null };
  const rest = { attachments: [], reactions: [], pinned: false, clientId: null, editedAt: null, deletedAt: null };
  return { ...own, ...plain, ...rest, ...changes };
}
function event<Type extends keyof RoomEventData>(seq: number, type: Type, data: RoomEventData[Type]): RoomEvent {
  return { type, roomId: 'r', seq, at: '', data } as RoomEvent;
}
const created = (seq: number, changes?: Partial<Message>) =>
  event(seq, 'message.created', { message: message(seq, changes) });
const edited = (seq: number, of: number, changes?: Partial<Message>) =>
  event(seq, 'message.updated', { message: message(of, changes) });
const deleted = (seq: number, of: number) => event(seq, 'message.deleted', { messageId: `m${of}`, by: 'ben' });
const other = (seq: number) => event(seq, 'message.pinned', { messageId: 'm1', by: 'ben' });

/** @param counts `[unread, mentions]` */
function answer(seq: number, readVersion: number, lastReadSeq: number, counts: readonly [number, number]): ReadState {
  return { seq, readVersion, lastReadSeq, unread: counts[0], mentions: counts[1] };
}
function after(start: UnreadCounts, ...steps: readonly (RoomEvent | ReadState)[]): UnreadCounts {
  return steps.reduce(
    (each, step) => ('type' in step ? countEvent(each, step, undefined) : takeAnswer(each, step)),
    start,
  );
}
const begun = after(createCounts('ana', new Set()), answer(0, 0, 0, [0, 0]));
const shown = ({ now, uncertain }: UnreadCounts) => ({ ...now, uncertain });
const exactly = (lastReadSeq: number, unread: number, mentions: number) => ({
  ...{ lastReadSeq, unread, mentions },
  uncertain: false,
});

test('an answer that is ahead of the events contains those that come after it', () => {
  const ahead = after(begun, created(1), answer(3, 1, 1, [2, 0]));
  expect(shown(ahead)).toEqual(exactly(1, 2, 0));
  expect(shown(after(ahead, created(2), created(3), created(4)))).toEqual(exactly(1, 3, 0));
});

test('an answer that is behind the events is counted on, by its own marker', () => {
  const events = [created(1), created(2), created(3, { mentions: ['ana'] }), created(4), deleted(5, 2)];
  // As of seq 3, and the marker is at 1.
  expect(shown(after(begun, ...events, answer(3, 1, 1, [2, 1])))).toEqual(exactly(1, 2, 1));
  // A marker that another instance moved past the events that this answer contains.
  expect(shown(after(begun, ...events, answer(3, 1, 4, [0, 0])))).toEqual(exactly(4, 0, 0));
});

test('an older answer changes nothing, by version first and then by seq', () => {
  const newest = after(begun, created(1), created(2), answer(2, 5, 0, [2, 0]));
  expect(after(newest, answer(2, 4, 2, [0, 0]))).toBe(newest);
  expect(after(newest, answer(1, 5, 0, [1, 0]))).toBe(newest);
  // Marked unread: the marker is behind the one before, and the version is not.
  expect(shown(after(begun, created(1), created(2), answer(2, 1, 2, [0, 0]), answer(2, 2, 1, [1, 0])))).toEqual(
    exactly(1, 1, 0),
  );
});

test('edits, deletions and restorations of messages that came as events are counted exactly', () => {
  const mention = after(begun, created(1, { mentions: ['ana'] }), edited(2, 1));
  expect(shown(mention)).toEqual(exactly(0, 1, 0));
  const everybody = after(mention, edited(3, 1, { mentionsAll: 'room' }), deleted(4, 1));
  expect(shown(everybody)).toEqual(exactly(0, 0, 0));
  expect(shown(after(everybody, edited(5, 1, { mentionsAll: 'room' })))).toEqual(exactly(0, 1, 1));
  const inThread = after(begun, created(1, { threadId: 'm0', mentions: ['ana'] }));
  expect(shown(inThread)).toEqual(exactly(0, 0, 1));
  const own = after(
    begun,
    created(1, { sender: { ...ben, id: 'ana' } }),
    edited(2, 1, { sender: { ...ben, id: 'ana' } }),
  );
  expect(shown(after(own, deleted(3, 1)))).toEqual(exactly(0, 0, 0));
});

test('a change of a message that did not come as an event is uncertain, unless it is read, until an answer contains it', () => {
  const unread = after(createCounts('ana', new Set()), answer(5, 1, 3, [2, 1]), other(6));
  expect(shown(after(unread, edited(7, 3)))).toEqual(exactly(3, 2, 1));
  const uncertain = after(unread, edited(7, 4, { mentions: ['ana'] }));
  expect(uncertain.uncertain).toBe(true);
  expect(after(uncertain, answer(6, 2, 3, [2, 1])).uncertain).toBe(true);
  expect(shown(after(uncertain, answer(7, 2, 3, [2, 0])))).toEqual(exactly(3, 2, 0));
  const stored = message(2);
  expect(shown(countEvent(unread, deleted(7, 2), stored))).toEqual(exactly(3, 2, 1));
  expect(after(unread, deleted(7, 2)).uncertain).toBe(true);
  // Where nothing is unread, nothing was.
  const read = after(unread, answer(6, 2, 6, [0, 0]));
  expect(shown(after(read, deleted(7, 2)))).toEqual(exactly(6, 0, 0));
  // A message that was deleted since it was created: the log does not show what it counted.
  const replayed = after(begun, created(1, { deletedAt: 'then' }), created(2), answer(2, 1, 0, [2, 0]));
  expect(after(replayed, deleted(3, 1)).uncertain).toBe(true);
});

test('events that were left out make the counts uncertain until an answer contains them', () => {
  const gap = after(begun, created(1), created(4));
  expect(gap.uncertain).toBe(true);
  expect(after(gap, answer(2, 1, 0, [2, 0])).uncertain).toBe(true);
  expect(shown(after(gap, answer(3, 1, 0, [3, 0])))).toEqual(exactly(0, 4, 0));
  // An answer that came first has them.
  expect(shown(after(begun, created(1), answer(5, 1, 0, [5, 0]), created(6)))).toEqual(exactly(0, 6, 0));
  // Events before the first answer.
  const late = after(createCounts('ana', new Set()), created(8), created(9));
  expect(shown(after(late, answer(8, 1, 0, [4, 0])))).toEqual(exactly(0, 5, 0));
  expect(after(late, answer(6, 1, 0, [4, 0])).uncertain).toBe(true);
});

test('more changes than are kept need an answer that contains the others', () => {
  const many = after(begun, ...Array.from({ length: 600 }, (_, at) => created(at + 1)));
  expect(shown(many)).toEqual(exactly(0, 600, 0));
  expect(after(many, answer(99, 1, 0, [99, 0])).uncertain).toBe(true);
  expect(shown(after(many, answer(100, 1, 50, [50, 0])))).toEqual(exactly(50, 550, 0));
});

test('mentions of everybody by a blocked user do not count, and a block needs an answer', () => {
  const blocked = takeBlocked(begun, new Set(['ben']));
  expect(blocked.uncertain).toBe(true);
  const answered = after(blocked, answer(0, 1, 0, [0, 0]));
  expect(shown(after(answered, created(1, { mentionsAll: 'room' }), created(2, { mentions: ['ana'] })))).toEqual(
    exactly(0, 2, 1),
  );
  // The events after the answer count by what is known now.
  const unblocked = takeBlocked(after(answered, created(1, { mentionsAll: 'room' })), new Set());
  expect(shown(after(unblocked, answer(0, 2, 0, [0, 0])))).toEqual(exactly(0, 1, 1));
  expect(takeBlocked(answered, new Set(['ben']))).toBe(answered);
});

test('what the user did shows before the answer, and the answer corrects it', () => {
  const read = guessCounts(after(begun, created(1), created(2)), { lastReadSeq: 2, unread: 0, mentions: 0 });
  expect(shown(after(read, created(3)))).toEqual(exactly(2, 1, 0));
  // Marked unread on another device: the mark did not count.
  expect(shown(after(read, created(3), answer(2, 4, 0, [2, 0])))).toEqual(exactly(0, 3, 0));
});

test('in another log, earlier answers say nothing', () => {
  const before = after(begun, created(1), answer(90, 9, 40, [50, 0]));
  const forgotten = forgetAnswer(before);
  expect(forgotten.uncertain).toBe(true);
  expect(shown(after(forgotten, answer(7, 2, 5, [2, 0]), created(8)))).toEqual(exactly(5, 3, 0));
});

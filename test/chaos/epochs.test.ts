import { expect, test } from 'vitest';
import { beliefsAtTheEnd, type Epoch, readerIn, sendIn } from './epochs.ts';
import { checkHistories, type LoggedEvent, type ReaderRecord, type SendRecord } from './history-checker.ts';

const event = (seq: number, id: string): LoggedEvent => ({
  ...{ seq, id, type: 'message.created', clientId: id, userId: 'ana', text: id },
});
const kept = [event(1, 'kept 1'), event(2, 'kept 2')];
/** A restore at 1000 removed everything after the second event. */
const lost: Epoch = { logs: new Map([['r', [...kept, event(3, 'lost')]]]), fromMs: 0, untilMs: 1000 };
const last: Epoch = {
  logs: new Map([['r', [...kept, event(3, 'new')]]]),
  fromMs: 2000,
  untilMs: Number.POSITIVE_INFINITY,
};
const epochs = [lost, last];

function kinds(readers: readonly ReaderRecord[], sends: readonly SendRecord[] = []): string[] {
  return epochs.flatMap((epoch) =>
    checkHistories({
      logs: epoch.logs,
      readers: readers.map((reader) => readerIn(epochs, epoch, reader)),
      sends: sends.map((send) => sendIn(epochs, epoch, send)),
    }).map(({ kind }) => kind),
  );
}
const reader = (...runs: ReaderRecord['runs'][number][]): ReaderRecord => ({ reader: 'ben', roomId: 'r', runs });
const sent = (id: string, ...acks: SendRecord['acks']): SendRecord => ({
  ...{ userId: 'ana', roomId: 'r', clientId: id, text: id, order: 1, acks },
});

test('a reader that saw lost events and starts again after the restore is no violation', () => {
  const before = { after: 0, events: [...kept, event(3, 'lost')], atMs: 10 };
  const after = { after: 2, events: [event(3, 'new')], atMs: 3000 };
  expect(kinds([reader(before, after)])).toEqual([]);
});

test('a reader that starts again after the restore and gets nothing since then is at the head', () => {
  const before = { after: 0, events: [...kept, event(3, 'lost')], atMs: 10 };
  // So soon after the kill that late frames of the replaced log would be possible too.
  expect(kinds([reader(before, { after: 3, events: [], atMs: 3000 })])).toEqual([]);
  expect(kinds([reader(before, { after: 2, events: [], atMs: 3000 })])).toEqual(['gap']);
});

test('a reader that does not start again after the restore is a violation', () => {
  expect(kinds([reader({ after: 0, events: [...kept, event(3, 'lost')], atMs: 10 })])).toEqual(['gap']);
});

test('a reader that continues after the restore without a reset is a violation', () => {
  const across = { after: 0, events: [...kept, event(3, 'lost'), event(4, 'new 4')], atMs: 10 };
  expect(kinds([reader(across)])).toContain('diverged');
});

test('a reader that is shown lost events long after the restore is a violation', () => {
  const late = { after: 0, events: [...kept, event(3, 'lost')], atMs: 60_000 };
  expect(kinds([reader(late)])).toContain('diverged');
});

test('acks are compared with the log of their time: before a restore the replaced one, after it the new one', () => {
  expect(kinds([], [sent('lost', { messageId: 'lost', seq: 3, atMs: 900 })])).toEqual([]);
  expect(kinds([], [sent('new', { messageId: 'new', seq: 3, atMs: 3000 })])).toEqual([]);
  expect(kinds([], [sent('lost', { messageId: 'lost', seq: 3, atMs: 60_000 })])).toContain('lost');
});

test('answers from before the restore are not compared with the final state', () => {
  const mark = { userId: 'ana', roomId: 'r', acked: [3, 2], atMs: [900, 60_000] };
  const change = { kind: 'message.deleted', roomId: 'r', messageId: 'lost', seq: 3 } as const;
  const ban = { userId: 'ana', roomId: 'r', toMs: 70_000 };
  const { marks, changes, bans } = beliefsAtTheEnd(epochs, {
    marks: [mark],
    changes: [
      { ...change, atMs: 900 },
      { ...change, atMs: 60_000 },
    ],
    bans: [
      { ...ban, fromMs: 500 },
      { ...ban, fromMs: 60_000 },
    ],
  });
  expect(marks[0]!.acked).toEqual([2]);
  expect(changes.map(({ atMs }) => atMs)).toEqual([60_000]);
  expect(bans.map(({ fromMs }) => fromMs)).toEqual([60_000]);
});

import { expect, test } from 'vitest';
import { beliefsAtTheEnd, type Era, readerIn, sendIn } from './eras.ts';
import { checkHistories, type LoggedEvent, type ReaderRecord, type SendRecord } from './history-checker.ts';

const event = (seq: number, id: string): LoggedEvent => ({
  ...{ seq, id, type: 'message.created', clientId: id, userId: 'ana', text: id },
});
const kept = [event(1, 'kept 1'), event(2, 'kept 2')];
/** A restore at 1000 took away what was said after the second event. */
const lost: Era = { logs: new Map([['r', [...kept, event(3, 'lost')]]]), fromMs: 0, untilMs: 1000 };
const last: Era = {
  logs: new Map([['r', [...kept, event(3, 'new')]]]),
  fromMs: 2000,
  untilMs: Number.POSITIVE_INFINITY,
};
const eras = [lost, last];

function kinds(readers: readonly ReaderRecord[], sends: readonly SendRecord[] = []): string[] {
  return eras.flatMap((era) =>
    checkHistories({
      logs: era.logs,
      readers: readers.map((reader) => readerIn(eras, era, reader)),
      sends: sends.map((send) => sendIn(eras, era, send)),
    }).map(({ kind }) => kind),
  );
}
const reader = (...runs: ReaderRecord['runs'][number][]): ReaderRecord => ({ reader: 'ben', roomId: 'r', runs });
const sent = (id: string, ...acks: SendRecord['acks']): SendRecord => ({
  ...{ userId: 'ana', roomId: 'r', clientId: id, text: id, order: 1, acks },
});

test('a reader that saw what was lost, and began again after the restore, saw nothing wrong', () => {
  const before = { after: 0, events: [...kept, event(3, 'lost')], atMs: 10 };
  const after = { after: 2, events: [event(3, 'new')], atMs: 3000 };
  expect(kinds([reader(before, after)])).toEqual([]);
});

test('a reader that goes on after the restore as if nothing had happened is found', () => {
  const across = { after: 0, events: [...kept, event(3, 'lost'), event(4, 'new 4')], atMs: 10 };
  expect(kinds([reader(across)])).toContain('diverged');
});

test('a reader that is shown what was lost long after the restore is found', () => {
  const late = { after: 0, events: [...kept, event(3, 'lost')], atMs: 60_000 };
  expect(kinds([reader(late)])).toContain('diverged');
});

test('an ack from before the restore is of the log of that time, an ack from after it of the last one', () => {
  expect(kinds([], [sent('lost', { messageId: 'lost', seq: 3, atMs: 900 })])).toEqual([]);
  expect(kinds([], [sent('new', { messageId: 'new', seq: 3, atMs: 3000 })])).toEqual([]);
  expect(kinds([], [sent('lost', { messageId: 'lost', seq: 3, atMs: 60_000 })])).toContain('lost');
});

test('what was answered before the restore is not held against what holds in the end', () => {
  const mark = { userId: 'ana', roomId: 'r', acked: [3, 2], atMs: [900, 60_000] };
  const change = { kind: 'message.deleted', roomId: 'r', messageId: 'lost', seq: 3 } as const;
  const ban = { userId: 'ana', roomId: 'r', toMs: 70_000 };
  const { marks, changes, bans } = beliefsAtTheEnd(eras, {
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

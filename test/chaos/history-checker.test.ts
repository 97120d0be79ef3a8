import { expect, test } from 'vitest';
import { checkHistories, type Histories, type LoggedEvent } from './history-checker.ts';

const log: LoggedEvent[] = [
  { seq: 1, type: 'member.joined', id: 'j1' },
  ...[2, 3, 4, 5].map((seq) => ({
    seq,
    type: 'message.created',
    id: `m${seq}`,
    clientId: `k${seq}`,
    userId: 'ana',
    text: `text ${seq}`,
  })),
];
const good: Histories = {
  logs: new Map([['r', log]]),
  sends: [2, 3, 4, 5].map((seq) => ({
    userId: 'ana',
    roomId: 'r',
    clientId: `k${seq}`,
    text: `text ${seq}`,
    order: seq,
    acks: [{ messageId: `m${seq}`, seq }],
  })),
  readers: [{ reader: 'ben', roomId: 'r', runs: [{ after: 0, events: log }] }],
};
const kinds = (histories: Histories) => [...new Set(checkHistories(histories).map(({ kind }) => kind))];
const reader = (...seqs: number[]) => [
  { reader: 'ben', roomId: 'r', runs: [{ after: 0, events: seqs.map((seq) => log[seq - 1]!) }] },
];
const withLog = (changed: LoggedEvent[]): Histories => ({ ...good, logs: new Map([['r', changed]]), readers: [] });

test('a correct run has no violations', () => {
  expect(checkHistories(good)).toEqual([]);
});

test.each([
  ['an acknowledged message that is missing in the log', withLog(log.slice(0, 4)), 'lost'],
  [
    'an acked message under another seq',
    withLog([...log.slice(0, 3), { ...log[4]!, seq: 4 }, { ...log[3]!, seq: 5 }]),
    'lost',
  ],
  ['one key stored twice', withLog([...log, { ...log[4]!, seq: 6, id: 'm6' }]), 'duplicated'],
  ['a hole in the log', withLog([...log.slice(0, 2), ...log.slice(3)]), 'gap'],
  [
    'a later send before an earlier one',
    { ...good, sends: good.sends.map((send) => ({ ...send, order: -send.order })) },
    'reordered',
  ],
  ['a text that differs from the sent one', { ...good, sends: [{ ...good.sends[0]!, text: 'other' }] }, 'diverged'],
  [
    'a refused message that is stored',
    { ...good, sends: [{ ...good.sends[0]!, acks: [], refused: 'message_blocked' }] },
    'refused but stored',
  ],
  ['a reader that missed one', { ...good, readers: reader(1, 2, 4, 5) }, 'gap'],
  ['a reader that got one twice', { ...good, readers: reader(1, 2, 3, 3, 4, 5) }, 'duplicated'],
  ['a reader that got two in the wrong order', { ...good, readers: reader(1, 3, 2, 4, 5) }, 'reordered'],
  ['a reader that stopped before the head', { ...good, readers: reader(1, 2, 3) }, 'gap'],
  [
    'a reader that saw what others did not',
    {
      ...good,
      readers: [
        { reader: 'ben', roomId: 'r', runs: [{ after: 0, events: [...log.slice(0, 4), { ...log[4]!, id: 'x' }] }] },
      ],
    },
    'diverged',
  ],
  [
    'a reader that joined and did not get the event of it',
    { ...good, readers: [{ reader: 'ben', roomId: 'r', runs: [{ after: 1, events: log.slice(1), joined: true }] }] },
    'gap',
  ],
  [
    'a reader that got what is not its own',
    { ...good, readers: [{ ...good.readers[0]!, entitled: [{ from: 1, to: 3 }] }] },
    'leak',
  ],
] as [string, Histories, string][])('%s is found', (_, histories, kind) => {
  expect(kinds(histories)).toContain(kind);
});

test('an event about a message from before a membership must come without its content', () => {
  const edited = { seq: 6, type: 'message.updated', id: 'edit', messageId: 'm' };
  const logs = new Map([['r', [{ ...log[0]!, type: 'message.created', messageId: 'm' }, ...log.slice(1), edited]]]);
  const seen = (event: { seq: number; type: string; id: string }): Histories => ({
    sends: [],
    logs,
    readers: [
      {
        reader: 'ben',
        roomId: 'r',
        hides: true,
        entitled: [{ from: 6, to: 9 }],
        runs: [{ after: 5, events: [event] }],
      },
    ],
  });
  expect(checkHistories(seen({ seq: 6, type: 'message.hidden', id: '' }))).toEqual([]);
  expect(kinds(seen(edited))).toContain('leak');
});

test('a reader that continues from the head after a reset has no gap', () => {
  const readers = [
    {
      reader: 'ben',
      roomId: 'r',
      runs: [
        { after: 0, events: log.slice(0, 2) },
        { after: 4, events: log.slice(4) },
      ],
    },
  ];
  expect(checkHistories({ ...good, readers })).toEqual([]);
});

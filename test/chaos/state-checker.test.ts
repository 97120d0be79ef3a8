import { expect, test } from 'vitest';
import { entitlementOf, type RoomFacts, watchersEntitlement } from './entitlement.ts';
import { type Beliefs, checkState, type FinalState } from './state-checker.ts';

const final: FinalState = {
  logs: new Map([
    [
      'r',
      [
        { seq: 1, type: 'member.joined', id: 'j', subjectId: 'ana' },
        { seq: 2, type: 'message.created', id: 'm' },
        { seq: 3, type: 'message.updated', id: 'message.updated m t' },
        { seq: 4, type: 'message.created', id: 'n' },
        { seq: 5, type: 'message.deleted', id: 'message.deleted n t' },
      ],
    ],
  ]),
  messages: new Map([
    ['m', { messageId: 'm', text: 'second', deleted: false }],
    ['n', { messageId: 'n', text: '', deleted: true }],
  ]),
  versions: new Set(['first', 'second']),
  members: new Map([['r', new Set(['ana'])]]),
  marks: new Map([['ana r', 3]]),
};
const good: Beliefs = {
  views: [
    {
      reader: 'ana',
      messages: [
        { messageId: 'm', text: 'second', deleted: false },
        { messageId: 'n', text: '', deleted: true },
      ],
    },
  ],
  memberships: [{ userId: 'ana', rooms: new Set(['r']) }],
  changes: [
    { kind: 'message.updated', roomId: 'r', messageId: 'm', text: 'second', seq: 3 },
    { kind: 'message.deleted', roomId: 'r', messageId: 'n', seq: 5 },
    { kind: 'message.updated', roomId: 'r', messageId: 'm', text: 'never', refused: 'unavailable' },
  ],
  sends: [{ userId: 'ana', roomId: 'r', clientId: 'k', text: 'first', order: 1, acks: [], startedMs: 30, ackedMs: 60 }],
  bans: [{ userId: 'ana', roomId: 'r', fromMs: 20, toMs: 50 }],
  marks: [{ userId: 'ana', roomId: 'r', acked: [1, 3, 3] }],
};
const kinds = (beliefs: Partial<Beliefs>, state: Partial<FinalState> = {}) => [
  ...new Set(checkState({ ...final, ...state }, { ...good, ...beliefs }).map(({ kind }) => kind)),
];

test('a consistent state has no violations', () => {
  expect(checkState(final, good)).toEqual([]);
});

test.each([
  [
    'a reader with an old version',
    { views: [{ reader: 'ben', messages: [{ messageId: 'm', text: 'first', deleted: false }] }] },
    'wrong version',
  ],
  [
    'a reader who still shows what was deleted',
    { views: [{ reader: 'ben', messages: [{ messageId: 'n', text: 'gone', deleted: false }] }] },
    'wrong version',
  ],
  [
    'a reader with a message that nobody stored',
    { views: [{ reader: 'ben', messages: [{ messageId: 'x', text: 'x', deleted: false }] }] },
    'wrong version',
  ],
  [
    'an acked edit that is not in the log',
    { changes: [{ kind: 'message.updated', roomId: 'r', messageId: 'm', text: 'third', seq: 4 }] },
    'lost',
  ],
  [
    'an acked deletion that did not happen',
    { changes: [{ kind: 'message.deleted', roomId: 'r', messageId: 'm', seq: 5 }] },
    'lost',
  ],
  [
    'a refused edit that happened',
    { changes: [{ kind: 'message.updated', roomId: 'r', messageId: 'm', text: 'first', refused: 'unavailable' }] },
    'refused but stored',
  ],
  [
    'a client that believes to be in a room it left',
    { memberships: [{ userId: 'ben', rooms: new Set(['r']) }] },
    'ghost',
  ],
  ['a client that does not know its room', { memberships: [{ userId: 'ana', rooms: new Set() }] }, 'ghost'],
  ['a message of a muted user', { bans: [{ userId: 'ana', roomId: 'r', fromMs: 20, toMs: 70 }] }, 'authority'],
  ['a read marker that went back', { marks: [{ userId: 'ana', roomId: 'r', acked: [3, 2] }] }, 'read marker'],
  ['a read marker behind an acknowledged one', { marks: [{ userId: 'ana', roomId: 'r', acked: [4] }] }, 'read marker'],
] as [string, Partial<Beliefs>, string][])('%s is found', (_, beliefs, kind) => {
  expect(kinds(beliefs)).toContain(kind);
});

test('a read marker beyond the head is a violation', () => {
  expect(kinds({}, { marks: new Map([['ana r', 6]]) })).toEqual(['read marker']);
});

const churn: RoomFacts = {
  history: 'joined',
  visibility: 'public',
  log: [
    { seq: 1, type: 'member.joined', id: '1', subjectId: 'ana' },
    { seq: 2, type: 'message.created', id: '2' },
    { seq: 3, type: 'member.left', id: '3', subjectId: 'ana' },
    { seq: 4, type: 'room.updated', id: '4', visibility: 'private' },
    { seq: 5, type: 'member.joined', id: '5', subjectId: 'ana' },
    { seq: 6, type: 'room.updated', id: '6', visibility: 'public' },
    { seq: 7, type: 'room.updated', id: '7', visibility: 'private' },
  ],
};

test('a member may see events from joining to leaving, or from the beginning if the history is open to members', () => {
  const endless = Number.MAX_SAFE_INTEGER;
  expect(entitlementOf(churn, 'ana')).toEqual([
    { from: 1, to: 3 },
    { from: 5, to: endless },
  ]);
  expect(entitlementOf(churn, 'ben')).toEqual([]);
  expect(entitlementOf({ ...churn, history: 'all' }, 'ana')).toEqual([{ from: 1, to: endless }]);
  expect(watchersEntitlement(churn)).toEqual([{ from: 1, to: 7 }]);
});

import { expect, test } from 'vitest';
import { createRevocationList, type RevocationRow } from './revocation-list.ts';

const ana = { userId: 'ana', sessionId: 'phone' };
const now = 1_000_000_000_000;

function row(id: number, fields: Partial<RevocationRow>): RevocationRow {
  return {
    id: `${id}`,
    fresh: false,
    kind: 'session',
    userId: 'ana',
    sessionId: null,
    until: null,
    at: now,
    ...fields,
  };
}

/** A list, and a function that takes over a read which begins now. */
function startList(memoryMs = 60_000) {
  const list = createRevocationList(memoryMs);
  const read = (xmin: number, rows: readonly RevocationRow[], askedMs = performance.now()) =>
    list.take({ xmin: `${xmin}`, nowMs: now, rows }, askedMs).map(({ id }) => id);
  return { list, read };
}

test('an ended session is revoked, another session of the user is not', () => {
  const { list, read } = startList();
  read(1, [row(1, { sessionId: 'phone' })]);
  expect(list.isRevoked(ana)).toBe(true);
  expect(list.isRevoked({ ...ana, sessionId: 'laptop' })).toBe(false);
});

test('an erased account ends every session, also one without an id', () => {
  const { list, read } = startList();
  read(1, [row(1, { kind: 'user' })]);
  expect([list.isRevoked(ana), list.isRevoked({ userId: 'ana', sessionId: undefined })]).toEqual([true, true]);
});

test('host tokens end up to the latest time of any row', () => {
  const { list, read } = startList();
  read(1, [row(1, { kind: 'tokens', until: now }), row(2, { kind: 'tokens', until: now - 5000 })]);
  const token = (issuedAt: number) => list.isRevoked({ userId: 'ana', sessionId: undefined, issuedAt });
  expect([token(now), token(now + 1)]).toEqual([true, false]);
});

test('the newest row about a ban counts, in whatever order rows arrive', () => {
  const { list, read } = startList();
  read(1, [row(3, { kind: 'unban' }), row(2, { kind: 'ban' })]);
  expect(list.bannedUntil('ana')).toBeUndefined();
  read(2, [row(4, { kind: 'ban', until: now + 60_000 })]);
  expect(list.bannedUntil('ana')).toBe(now + 60_000);
});

test('a ban ends by the clock of Postgres', () => {
  const { list, read } = startList();
  read(1, [row(1, { kind: 'ban', until: now - 1 })]);
  expect(list.bannedUntil('ana')).toBeUndefined();
});

test('a row of an unfinished transaction is returned again and taken over once', () => {
  const { list, read } = startList();
  expect(read(5, [row(1, { fresh: true, sessionId: 'phone' })])).toEqual(['1']);
  expect(list.horizon()).toEqual({ xmin: '5', knownIds: ['1'] });
  expect(read(5, [row(1, { fresh: true, sessionId: 'phone' }), row(2, { sessionId: 'laptop' })])).toEqual(['2']);
});

test('an older read that arrives late changes nothing', () => {
  const { list, read } = startList();
  read(9, []);
  expect(read(8, [row(1, { sessionId: 'phone' })])).toEqual([]);
  expect(list.isRevoked(ana)).toBe(false);
});

test('after a restore, reads from before count no more, bans are replaced and ended sessions stay ended', () => {
  const { list, read } = startList();
  read(7, [row(1, { sessionId: 'phone' }), row(2, { kind: 'ban', userId: 'ben' })]);
  const before = performance.now() - 1;
  list.startOver();
  expect(list.horizon()).toEqual({ xmin: '0', knownIds: [] });
  expect(read(7, [row(3, { kind: 'user', userId: 'carla' })], before)).toEqual([]);
  expect(list.bannedUntil('ben')).toBe(Number.POSITIVE_INFINITY);
  read(2, []);
  expect(list.bannedUntil('ben')).toBeUndefined();
  expect(list.isRevoked(ana)).toBe(true);
});

test('ended sessions are forgotten after the memory time, bans are not', () => {
  const { list, read } = startList(-1);
  read(1, [row(1, { sessionId: 'phone' }), row(2, { kind: 'ban', userId: 'ben' })]);
  list.forgetOld();
  expect(list.isRevoked(ana)).toBe(false);
  expect(list.bannedUntil('ben')).toBe(Number.POSITIVE_INFINITY);
});

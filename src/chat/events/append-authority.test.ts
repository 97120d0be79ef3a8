import { expect, test } from 'vitest';
import { queuedSend, roomFeed, takeMute } from '../../../test/harness/room-fixture.ts';
import { createAppendAuthority } from './append-authority.ts';

const authority = createAppendAuthority({
  isRevoked: () => false,
  epoch: () => 'log',
  nowMs: () => 1_000_000,
  admissionMs: 500,
});

test('a member may append', () => {
  const feed = roomFeed();
  const { send, answers } = queuedSend(feed);
  expect(authority.allow(feed, send)).toBe(true);
  expect(answers).toEqual([]);
});

test('a mute that came and went since the admission refuses the send: its retry may have been refused for certain', () => {
  const feed = roomFeed();
  const { send, answers } = queuedSend(feed);
  takeMute(feed, 'ben', 2_000_000);
  takeMute(feed, 'ben', 0);
  expect(authority.allow(feed, send)).toBe(false);
  expect(answers).toEqual(['unavailable']);
  const later = queuedSend(feed);
  expect(authority.allow(feed, later.send)).toBe(true);
});

test.each([
  ['whose client is gone', { isOpen: () => false }],
  ['that was admitted long ago', { admittedMs: performance.now() - 10_000 }],
])('a send %s is refused in a log that has replaced the one of its admission', (_what, changes) => {
  const feed = roomFeed();
  const { send, answers } = queuedSend(feed, { epoch: 'the log before', ...changes });
  expect(authority.allow(feed, send)).toBe(false);
  expect(answers).toEqual(['unavailable']);
});

test('a send that was admitted just now goes on in a log that has replaced the one of its admission', () => {
  const feed = roomFeed();
  const { send, answers } = queuedSend(feed, { epoch: 'the log before', allowedAt: 0 });
  expect(authority.allow(feed, send)).toBe(true);
  expect(answers).toEqual([]);
});

test('a login that ended refuses the send', () => {
  const feed = roomFeed();
  const { send, answers } = queuedSend(feed, { sessionId: 'ended' });
  const isRevoked = ({ sessionId }: { sessionId: string | undefined }) => sessionId === 'ended';
  const revoking = createAppendAuthority({ isRevoked, epoch: () => 'log', nowMs: () => 0, admissionMs: 500 });
  expect(revoking.allow(feed, send)).toBe(false);
  expect(answers).toEqual(['unauthenticated']);
});

test('a message that may be stored is not refused for certain', () => {
  const feed = roomFeed();
  const { send, answers } = queuedSend(feed, { authorId: 'stranger', maybeStored: true });
  expect(authority.allow(feed, send)).toBe(false);
  expect(answers).toEqual(['outcome_unknown']);
});

test('in slow mode the second message of a batch is refused, and a second try of the first is not', () => {
  const feed = roomFeed('room', { slowModeSeconds: 60 });
  const first = queuedSend(feed, { messageId: 'first' });
  const second = queuedSend(feed, { messageId: 'second' });
  expect(authority.allow(feed, first.send)).toBe(true);
  expect(authority.allow(feed, second.send)).toBe(false);
  expect(second.answers).toEqual(['slow_mode']);
  expect(authority.allow(feed, first.send)).toBe(true);
});

import { expect, test } from 'vitest';
import { createRemoteContributions } from './remote-contributions.ts';

const online = { status: 'online', leftAtMs: undefined };

function tracking(...keys: string[]) {
  const remote = createRemoteContributions();
  for (const key of keys) remote.track(key);
  return remote;
}

test('only people who are tracked are kept, and only newer news count', () => {
  const remote = tracking('ana');
  expect(remote.take('i', 'ben', 'o1')).toBe(false);
  expect(remote.of('ben')).toEqual([]);
  expect(remote.take('i', 'ana', 'o2')).toBe(true);
  expect(remote.take('i', 'ana', 'a1')).toBe(false);
  expect(remote.of('ana')).toEqual([online]);
  // The same again is no change.
  expect(remote.take('i', 'ana', 'o3')).toBe(false);
  expect(remote.take('i', 'ana', '-4')).toBe(true);
  expect(remote.take('i', 'ana', 'o3')).toBe(false);
  expect(remote.of('ana')).toEqual([]);
});

test('a read that began before a hint does not undo it', () => {
  const remote = tracking('ana');
  const begunAt = remote.taken();
  remote.take('i', 'ana', 'o5');
  expect(remote.takeRead('i', 'ana', null, begunAt)).toBe(false);
  expect(remote.takeRead('i', 'ana', 'a4', begunAt)).toBe(false);
  expect(remote.of('ana')).toEqual([online]);
  expect(remote.takeRead('i', 'ana', null, remote.taken())).toBe(true);
  expect(remote.of('ana')).toEqual([]);
});

test('an instance that has ended takes all it contributed with it', () => {
  const remote = tracking('ana', 'ben', 'cal');
  remote.take('i', 'ana', 'o1');
  remote.take('i', 'ben', 'a1:2');
  remote.take('j', 'ben', 'd1');
  remote.take('j', 'cal', 'o1');
  expect(remote.forget('i')).toEqual(['ana', 'ben']);
  expect(remote.of('ben')).toEqual([{ status: 'dnd', leftAtMs: undefined }]);
  remote.untrack('cal');
  expect([...remote.keys()]).toEqual(['ana', 'ben']);
});

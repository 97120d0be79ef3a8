import { expect, test } from 'vitest';
import { Failure } from '../../errors.ts';
import { directMessageKey, ownerOf } from './room-creation.ts';
import { describeChanges } from './room-service.ts';

test('the key of a direct message depends on its members, not on their order', () => {
  expect(directMessageKey(['b', 'a', 'c'])).toEqual(directMessageKey(['c', 'b', 'a']));
  expect(directMessageKey(['a', 'b'])).not.toEqual(directMessageKey(['a', 'b', 'c']));
});

test('users own the rooms they create; only a server names another owner, or none', () => {
  expect(ownerOf({ userId: 'ana', role: 'user' }, undefined)).toBe('ana');
  expect(ownerOf({ userId: 'ana', role: 'user' }, 'ana')).toBe('ana');
  expect(() => ownerOf({ userId: 'ana', role: 'admin' }, 'ben')).toThrow(Failure);
  expect(ownerOf({ userId: 'key', role: 'server' }, 'ben')).toBe('ben');
  expect(ownerOf({ userId: 'key', role: 'server' }, undefined)).toBeUndefined();
});

test('the audit log says that a text changed, never to what', () => {
  expect(describeChanges({ name: 'secret', topic: 'plans', visibility: 'public' })).toEqual({
    texts: ['name', 'topic'],
    visibility: 'public',
  });
  expect(describeChanges({ slowModeSeconds: 5 })).toEqual({ slowModeSeconds: 5 });
});

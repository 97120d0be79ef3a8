import { describe, expect, test } from 'vitest';
import { Failure } from '../../errors.ts';
import type { DeploymentRole, MemberRole } from '../../permissions.ts';
import { type Actor, RoomState } from '../state/room-state.ts';
import { findSuccession } from './member-departure.ts';
import { requireAdd, requireMute, requireRemove, roleOfNewMember } from './member-rules.ts';

/** A room with these members, who joined in this order. */
function roomOf(members: Record<string, MemberRole>, settings: { kind?: 'room' | 'dm'; visibility?: 'public' } = {}) {
  const entries = Object.entries(members).map(
    ([userId, role], index) => [userId, { role, joinedSeq: index + 1, mutedUntil: 0 }] as const,
  );
  const { kind = 'room', visibility = 'private' } = settings;
  return new RoomState(
    {
      ...{ id: 'r', kind, visibility, name: 'Room', topic: '', history: 'all' },
      ...{ slowModeSeconds: 0, pins: 'members', receipts: false, createdAt: new Date(0).toISOString() },
    },
    new Map(entries),
    false,
  );
}

const actor = (userId: string, role: DeploymentRole = 'user'): Actor => ({ userId, role });

/** `ok`, or the code of the failure. */
function outcomeOf(check: () => unknown): string {
  try {
    check();
    return 'ok';
  } catch (error) {
    if (error instanceof Failure) return error.code;
    throw error;
  }
}

const people = { ana: 'owner', ben: 'moderator', cleo: 'member', dora: 'member' } as const;

describe('adding', () => {
  test.each([
    ['a stranger joins a public room', 'eve', 'eve', undefined, 'public', 'ok'],
    ['a stranger asks to own a public room', 'eve', 'eve', 'owner', 'public', 'forbidden'],
    ['a stranger joins a private room', 'eve', 'eve', undefined, undefined, 'not_found'],
    ['a stranger adds a user to a private room', 'eve', 'fred', undefined, undefined, 'not_found'],
    ['a member adds a user', 'cleo', 'eve', undefined, undefined, 'forbidden'],
    ['a moderator adds a user', 'ben', 'eve', undefined, undefined, 'ok'],
    ['a moderator adds a moderator', 'ben', 'eve', 'moderator', undefined, 'forbidden'],
    ['an owner adds a moderator', 'ana', 'eve', 'moderator', undefined, 'ok'],
    ['a member repeats their own join', 'cleo', 'cleo', undefined, undefined, 'ok'],
  ] as const)('%s', (_, by, userId, role, visibility, expected) => {
    const state = roomOf(people, visibility ? { visibility } : {});
    expect(outcomeOf(() => requireAdd(state, actor(by), userId, role))).toBe(expected);
  });

  test('a direct message keeps its members', () => {
    const state = roomOf({ ana: 'member', ben: 'member' }, { kind: 'dm' });
    expect(outcomeOf(() => requireAdd(state, actor('ana'), 'eve', undefined))).toBe('forbidden');
    expect(outcomeOf(() => requireAdd(state, actor('eve'), 'eve', undefined))).toBe('not_found');
  });

  test('the first user in an empty room owns it, unless a server adds them', () => {
    expect(roleOfNewMember(roomOf({}), actor('ana'), undefined)).toBe('owner');
    expect(roleOfNewMember(roomOf({}), actor('key', 'server'), undefined)).toBe('member');
    expect(roleOfNewMember(roomOf(people), actor('eve'), undefined)).toBe('member');
  });
});

describe('removing', () => {
  test.each([
    ['members leave', 'cleo', 'cleo', 'ok'],
    ['members remove nobody', 'cleo', 'dora', 'forbidden'],
    ['moderators remove members', 'ben', 'cleo', 'ok'],
    ['moderators do not remove owners', 'ben', 'ana', 'forbidden'],
    ['strangers do not know the room', 'eve', 'cleo', 'not_found'],
  ])('%s', (_, by, userId, expected) => {
    expect(outcomeOf(() => requireRemove(roomOf(people), actor(by), userId))).toBe(expected);
  });

  test('nobody leaves a direct message', () => {
    const state = roomOf({ ana: 'member', ben: 'member' }, { kind: 'dm' });
    expect(outcomeOf(() => requireRemove(state, actor('ana'), 'ana'))).toBe('forbidden');
  });
});

test.each([
  ['a moderator mutes a member', 'ben', 'cleo', 'ok'],
  ['a moderator does not mute themselves', 'ben', 'ben', 'forbidden'],
  ['a member mutes nobody', 'cleo', 'dora', 'forbidden'],
  ['nobody mutes a stranger', 'ben', 'eve', 'not_found'],
])('%s', (_, by, userId, expected) => {
  expect(outcomeOf(() => requireMute(roomOf(people), actor(by), userId))).toBe(expected);
});

describe('succession', () => {
  test('the longest-standing moderator follows the last owner', () => {
    const state = roomOf({ cleo: 'member', ana: 'owner', ben: 'moderator', dora: 'moderator' });
    expect(findSuccession(state, 'ana')).toEqual({ kind: 'promote', userId: 'ben' });
  });

  test('without a moderator, the longest-standing member does', () => {
    expect(findSuccession(roomOf({ cleo: 'member', ana: 'owner', dora: 'member' }), 'ana')).toEqual({
      kind: 'promote',
      userId: 'cleo',
    });
  });

  test('is not needed beside another owner or in a direct message', () => {
    expect(findSuccession(roomOf({ ana: 'owner', ben: 'owner' }), 'ana').kind).toBe('none_needed');
    expect(findSuccession(roomOf({ ana: 'member', ben: 'member' }, { kind: 'dm' }), 'ana').kind).toBe('none_needed');
  });

  test('ends with the last member', () => {
    expect(findSuccession(roomOf({ ana: 'owner' }), 'ana').kind).toBe('nobody_left');
  });
});
